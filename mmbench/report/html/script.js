"use strict";
(() => {
const all = (where, what) => [...where.querySelectorAll(what)];
const root = document.documentElement, find = document.getElementById("find");
const told = document.getElementById("told"), theme = document.getElementById("theme");
const bodies = all(document, ".scroll table").map(t => ({
  key: t.closest("section").id, heads: all(t, "thead th"), body: t.tBodies[0], rows: [...t.tBodies[0].rows],
}));
const named = r => r.cells[0].firstChild ? r.cells[0].firstChild.textContent : "";
let state = {}, maps = [];

// the address after # holds the state; without "=" it names a place on the page
function read() {
  const text = decodeURIComponent(location.hash.slice(1));
  if (text && !text.includes("=")) return go(text);
  state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  show();
}
function keep(changes) {
  state = {...state, ...changes};
  const set = Object.entries(state).filter(([, v]) => v);
  history.replaceState(null, "", "#" + new URLSearchParams(set));
  show();
}
function go(id) {
  const place = document.getElementById(id);
  if (!place) return;
  if (place.tagName == "DETAILS") place.open = true;
  place.scrollIntoView();
  place.tabIndex = -1;
  place.focus({preventScroll: true});
}

// words that a name must have one of; those after a minus it must not have
function matcher(text) {
  const words = text.toLowerCase().split(/\s+/).filter(w => w && w != "-");
  const bad = words.filter(w => w[0] == "-").map(w => w.slice(1)), good = words.filter(w => w[0] != "-");
  return name => {
    const n = name.toLowerCase();
    return !bad.some(w => n.includes(w)) && (!good.length || good.some(w => n.includes(w)));
  };
}
function show() {
  const match = matcher(state.find || "");
  if (find.value != (state.find || "")) find.value = state.find || "";
  for (const t of bodies) {
    order(t, state["sort-" + t.key]);
    for (const r of t.rows) r.hidden = !match(named(r));
  }
  const first = bodies[0], shown = first ? first.rows.filter(r => !r.hidden).length : 0;
  const stay = document.querySelector(".concluded") ? " Groups, places and decisions on pairs stay those "
    + `of all ${first.rows.length}.` : "";
  told.textContent = !state.find || !first ? "" : `${shown} of ${first.rows.length} rows.${stay}`;
  for (const g of all(document, ".trade g")) g.classList.toggle("off", !match(g.dataset.n));
  for (const d of all(document, ".curves")) d.hidden = !match(d.dataset.n);
  for (const l of all(document, ".settings li")) l.hidden = !match(l.textContent.split(" (")[0]);
  if (state.theme) root.dataset.theme = state.theme; else delete root.dataset.theme;
  const says = {dark: "dark", light: "light"}[state.theme] || "as the system says";
  theme.setAttribute("aria-label", "Colours: " + says);
  theme.textContent = {dark: "☾", light: "☀"}[state.theme] || "◐";
  for (const m of maps) m(match);
}

function value(row, n) {
  const cell = row.cells[n];
  if (!cell) return "";
  const raw = cell.dataset.v ?? cell.textContent.replaceAll(",", "");
  const number = parseFloat(raw);
  return n && !Number.isNaN(number) ? number : n && !raw.trim() ? null : raw;
}
function order(t, asked) {
  const [column, way] = (asked || "").split(".");
  const at = t.heads.findIndex(h => h.dataset.t === column);
  t.heads.forEach((h, n) => {
    if (n == at) h.setAttribute("aria-sort", way == "up" ? "ascending" : "descending");
    else h.removeAttribute("aria-sort");
  });
  const sign = way == "up" ? 1 : -1, rows = [...t.rows];
  if (at >= 0) rows.sort((a, b) => {
    const x = value(a, at), y = value(b, at);
    if (x === null || y === null) return (x === null) - (y === null);
    if (typeof x != typeof y) return typeof x == "string" ? 1 : -1;
    return sign * (typeof x == "string" ? x.localeCompare(y) : x - y);
  });
  if (rows.some((r, n) => r != t.body.rows[n])) t.body.append(...rows);
}
for (const t of bodies) t.heads.forEach((h, n) => {
  if (h.classList.contains("i")) return;
  const b = document.createElement("button");
  b.type = "button";
  b.textContent = h.dataset.t = h.textContent;
  h.dataset.t = h.dataset.t.replaceAll(".", "");
  h.replaceChildren(b);
  b.addEventListener("click", () => {
    const text = typeof t.rows.map(r => value(r, n)).find(v => v !== null) == "string";
    const ways = text ? ["up", "down"] : ["down", "up"], own = h.dataset.t, key = "sort-" + t.key;
    const now = (state[key] || "").split("."), next = now[0] != own ? 0 : ways.indexOf(now[1]) + 1;
    keep({[key]: ways[next] ? own + "." + ways[next] : ""});
  });
});

// the text of a family of pairs as a map of colours; arrow keys walk on it
function map(figure) {
  const lines = all(figure, "ol li"), codes = lines.map(l => l.lastElementChild.textContent);
  const names = lines.map(l => l.firstChild.textContent.trim());
  const kinds = all(figure, ".legend li").map(l => [l.firstChild.textContent, l.textContent.slice(1).trim()]);
  const canvas = document.createElement("canvas"), said = document.createElement("output");
  const text = figure.querySelector("details"), n = names.length;
  text.open = false;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Map of pairs; arrow keys walk on it, and the line below tells");
  figure.insertBefore(canvas, text);
  figure.insertBefore(said, text);
  let shown = [], at = null, size = 1, left = 0;
  const code = (a, b) => codes[Math.max(a, b)][Math.min(a, b)];
  function paint() {
    const css = getComputedStyle(root), c = canvas.getContext("2d"), dense = devicePixelRatio || 1;
    const wide = Math.min(figure.parentElement.clientWidth, 600), rows = Math.max(1, shown.length);
    const font = "12px " + getComputedStyle(document.body).fontFamily;
    c.font = font;
    const longest = Math.max(0, ...shown.map(k => c.measureText(names[k]).width));
    left = wide / rows < 14 ? 0 : Math.min(longest + 8, wide * .38);
    size = Math.max(1, Math.min(26, Math.floor((wide - left) / rows)));
    if (size < 12) left = 0;
    canvas.width = (left + size * rows) * dense;
    canvas.height = size * rows * dense;
    canvas.style.width = left + size * rows + "px";
    c.scale(dense, dense);
    c.font = font;
    c.textAlign = "right";
    c.textBaseline = "middle";
    c.fillStyle = css.getPropertyValue("--text");
    if (left) shown.forEach((k, y) => {
      let name = names[k];
      while (name.length > 3 && c.measureText(name).width > left - 8) name = name.slice(0, -2) + "…";
      c.fillText(name, left - 8, (y + .5) * size);
    });
    const gap = size > 5 ? 1 : 0;
    shown.forEach((a, y) => shown.forEach((b, x) => {
      const k = a == b ? -1 : kinds.findIndex(k => k[0] == code(a, b));
      c.fillStyle = css.getPropertyValue(k < 0 ? "--card" : "--k" + k);
      c.fillRect(left + x * size, y * size, size - gap, size - gap);
    }));
    if (at) {
      c.strokeStyle = css.getPropertyValue("--front");
      c.lineWidth = 2;
      c.strokeRect(left + at[0] * size + 1, at[1] * size + 1, size - 2, size - 2);
    }
    const pair = at && shown[at[0]] !== undefined && shown[at[1]] !== undefined;
    if (!pair) return void (said.textContent = shown.length < n ? `${shown.length} of ${n} rows; the `
      + `decisions stay those of the whole family.` : "");
    const [a, b] = [shown[at[1]], shown[at[0]]].sort((p, q) => p - q);
    const kind = a == b ? null : kinds.find(k => k[0] == code(a, b));
    said.textContent = a == b ? names[a] : "123".includes(kind[0])
      ? `${names[a]} is above ${names[b]}: ${kind[1]}` : `${names[a]} and ${names[b]}: ${kind[1]}`;
  }
  const point = e => {
    const box = canvas.getBoundingClientRect(), last = shown.length - 1;
    at = [e.clientX - box.left - left, e.clientY - box.top].map(v => Math.max(0, Math.min(last, Math.floor(v / size))));
    paint();
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", () => { at = null; paint(); });
  canvas.addEventListener("keydown", e => {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];
    if (!step) return;
    e.preventDefault();
    const last = shown.length - 1;
    at = at ? at.map((v, k) => Math.max(0, Math.min(last, v + step[k]))) : [0, Math.min(1, last)];
    paint();
  });
  addEventListener("resize", paint);
  for (const media of ["(prefers-color-scheme: dark)", "print"])
    matchMedia(media).addEventListener("change", paint);
  return match => {
    shown = names.map((_, k) => k).filter(k => match(names[k]));
    at = null;
    paint();
  };
}
maps = all(document, ".pairs").map(map);

// a model's name leads to its curves
const curved = new Map(all(document, ".curves").map(d => [d.dataset.n, d.id]));
if (bodies[0]) for (const r of bodies[0].rows) if (curved.has(named(r))) {
  const a = document.createElement("a");
  a.href = "#" + curved.get(named(r));
  a.title = "training curves";
  r.cells[0].firstChild.replaceWith(a);
  a.textContent = [...curved].find(([, id]) => a.hash == "#" + id)[0];
}
document.addEventListener("click", e => {
  const a = e.target.closest("a[href^='#']");
  if (!a) return;
  e.preventDefault();
  go(a.hash.slice(1));
});
document.addEventListener("keydown", e => {
  const typing = e.target.matches("input");
  if (e.key == "/" && !typing && !e.ctrlKey && !e.metaKey) { e.preventDefault(); find.focus(); }
  if (e.key == "Escape" && typing) keep({find: ""});
});
find.addEventListener("input", () => keep({find: find.value}));
theme.addEventListener("click", () => {
  const ways = ["", "dark", "light"];
  keep({theme: ways[(ways.indexOf(state.theme || "") + 1) % 3]});
});
addEventListener("hashchange", read);
document.querySelector(".controls").hidden = false;
read();
})();
