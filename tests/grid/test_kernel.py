"""What the wall asks of a kernel: rights by its age, and a filter for each processor."""

import struct

import pytest

from mmbench.grid import landlock, seccomp
from mmbench.grid.landlock import Right


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (1, {Right.REFER, Right.TRUNCATE, Right.COMMAND_DEVICE, Right.FIND_SOCKET}),
        (2, {Right.TRUNCATE, Right.COMMAND_DEVICE, Right.FIND_SOCKET}),
        (4, {Right.COMMAND_DEVICE, Right.FIND_SOCKET}),
        (7, {Right.FIND_SOCKET}),
        (9, set()),
    ],
)
def test_an_older_kernel_is_asked_for_what_it_knows(version, words):
    known = landlock.known_rights(version)
    assert {right for right in Right if not right & known} == words


def test_every_name_that_the_filter_refuses_has_a_number_on_each_processor():
    counts = {len(numbers.lasting) for numbers in seccomp.NUMBERS.values()}
    assert counts == {12}
    assert all(len(set(numbers.lasting)) == 12 for numbers in seccomp.NUMBERS.values())


def run_filter(numbers, network, processor, number, argument):
    """What the kernel's machine would answer: an interpreter of the few instructions used."""
    shown = {0: number, 4: processor, 16: argument}
    program = seccomp.write_program(numbers, network=network)
    place, value = 0, 0
    while True:
        code, then, otherwise, operand = struct.unpack_from("=HBBI", program, place)
        place += 8
        match code:
            case seccomp.LOAD:
                value = shown[operand]
            case seccomp.ANSWER:
                return operand
            case seccomp.IF_EQUAL | seccomp.IF_AT_LEAST:
                holds = value == operand if code == seccomp.IF_EQUAL else value >= operand
                place += 8 * (then if holds else otherwise)


@pytest.mark.parametrize("machine", sorted(seccomp.NUMBERS))
@pytest.mark.parametrize("network", [True, False])
def test_the_filter_answers_as_it_should_on_each_processor(machine, network):
    numbers = seccomp.NUMBERS[machine]

    def ask(number, argument=0, processor=numbers.processor):
        answer = run_filter(numbers, network, processor, number, argument)
        assert answer in (seccomp.ALLOW, seccomp.REFUSE)
        return answer == seccomp.ALLOW

    assert all(not ask(number) for number in numbers.lasting)
    assert ask(0) and ask(numbers.socket, 1) and ask(numbers.socket, 16)
    assert ask(numbers.socket, 2) == ask(numbers.socket, 10) == network
    assert not ask(0, processor=numbers.processor + 1)
    assert not ask(seccomp.X32)
