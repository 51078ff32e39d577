"use strict";
// Draws the timeline on a canvas. All text reaches the page as text, never as markup: URLs come from strangers.

const run = JSON.parse(document.getElementById("data").textContent);
const plot = document.getElementById("plot"), pen = plot.getContext("2d");
const tip = document.getElementById("tip"), picked = document.getElementById("picked");
const night = matchMedia("(prefers-color-scheme: dark)");
const LEFT = 158, RIGHT = 24, CURVE = 28, SHORTEST = 20; // pixels; microseconds
const cycle = run.window * run.stride; // of each, the first window was kept
let view = { begin: run.begin, end: run.end }, hover = null, rows = [], sections = [], curves = [], height = 0;

const colour = (name) => (run.kinds[name] || run.kinds.asking)[night.matches ? 1 : 0];
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const width = () => plot.clientWidth - LEFT - RIGHT;
const x = (at) => LEFT + ((at - view.begin) / (view.end - view.begin)) * width();
const at = (px) => view.begin + ((px - LEFT) / width()) * (view.end - view.begin);

function time(us) {
  if (us < 1000) return us + " µs";
  return us < 1e6 ? (us / 1e3).toPrecision(3) + " ms" : (us / 1e6).toFixed(us < 1e8 ? 2 : 0) + " s";
}

// --- where everything is ---------------------------------------------------------------------------------------

function layOut() {
  rows = []; sections = []; curves = [];
  let y = 26;
  const section = (words, list, pitch) => {
    sections.push({ words, y: y + 14, top: y + 24, height: pitch * list.length });
    y += 24;
    for (const row of list) {
      rows.push({ name: row.name, bars: row.bars, y, pitch, height: pitch > 6 ? pitch - 2 : pitch * 0.85 });
      y += pitch;
    }
    y += 8;
  };
  section(run.words.slots, run.slots, Math.min(14, Math.max(2, 340 / Math.max(1, run.slots.length))));
  if (run.workers.length) section(run.words.workers, run.workers, 24);
  section(run.words.storage, [run.storage], 24);
  sections.push({ words: run.words.curves, y: y + 14, top: y, height: 0 });
  y += 22;
  for (const [name, points] of Object.entries(run.curves)) {
    const most = points.reduce((sum, point) => Math.max(sum, point[1]), 0);
    curves.push({ name, points, y, most });
    y += CURVE + 8;
  }
  height = y;
}

/** The first bar that ends after this moment: bars of a row follow each other. */
function firstAfter(bars, moment) {
  let low = 0, high = bars.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars[middle].end < moment) low = middle + 1; else high = middle;
  }
  return low;
}

// --- drawing ---------------------------------------------------------------------------------------------------

let waiting = false;
function draw() {
  if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; paint(); }); }
}

function paint() {
  const scale = devicePixelRatio || 1;
  plot.style.height = height + "px";
  if (plot.width !== Math.round(plot.clientWidth * scale) || plot.height !== Math.round(height * scale)) {
    plot.width = Math.round(plot.clientWidth * scale);
    plot.height = Math.round(height * scale);
  }
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, plot.clientWidth, height);
  const ink = style("--ink"), muted = style("--muted"), lane = style("--lane");
  pen.fillStyle = lane;
  for (const part of sections) pen.fillRect(LEFT, part.top, width(), part.height);
  for (const curve of curves) pen.fillRect(LEFT, curve.y, width(), CURVE);
  paintTicks(muted);
  for (const part of sections) {
    pen.textAlign = "left"; pen.fillStyle = ink; pen.font = "650 13px system-ui, sans-serif";
    pen.fillText(part.words[0], 0, part.y);
    const after = pen.measureText(part.words[0]).width + 12;
    pen.fillStyle = muted; pen.font = "12px system-ui, sans-serif";
    pen.fillText(part.words[1], after, part.y);
  }
  pen.save(); pen.beginPath(); pen.rect(LEFT, 0, width(), height); pen.clip();
  for (const row of rows) paintRow(row);
  for (const curve of curves) paintCurve(curve);
  paintGaps();
  if (hover) paintLinks();
  pen.restore();
  paintNames(muted);
}

function paintTicks(muted) {
  let step = 1;
  const least = (view.end - view.begin) / Math.max(2, width() / 130);
  while (step < least) step *= String(step)[0] === "2" ? 2.5 : 2;
  pen.font = "11px system-ui, sans-serif"; pen.textAlign = "center"; pen.fillStyle = muted; pen.strokeStyle = style("--line");
  for (let moment = Math.ceil(view.begin / step) * step; moment <= view.end; moment += step) {
    const label = step >= 1e4 ? +(moment / 1e6).toFixed(2) + " s" : +(moment / 1e3).toFixed(3) + " ms";
    pen.fillText(label, x(moment), 12);
    pen.beginPath(); pen.moveTo(x(moment), 18); pen.lineTo(x(moment), height); pen.stroke();
  }
}

function paintRow(row) {
  const top = row.y + (row.pitch - row.height) / 2, reach = {};
  const box = (name, begin, end, y, tall) => {
    let left = x(begin), right = x(end);
    if (right - left < 0.4) {
      if (reach[name] > left - 0.4) return;
      right = left + 0.4;
    }
    reach[name] = right;
    pen.fillStyle = colour(name);
    pen.fillRect(left, y, right - left, tall);
  };
  for (let index = firstAfter(row.bars, view.begin); index < row.bars.length; index++) {
    const bar = row.bars[index];
    if (bar.begin > view.end) break;
    if (run.kinds[bar.name]) box(bar.name, bar.begin, bar.end, top, row.height);
    for (const [name, begin, end] of bar.steps) box(run.names[name], begin, end, top, row.height);
    if (bar.told.outcome === "failed" || bar.told.outcome === "retry") box("bad", bar.begin, bar.end, top + row.height * 0.7, row.height * 0.3);
  }
}

function paintCurve(curve) {
  const foot = curve.y + CURVE, tall = (CURVE - 3) / (curve.most || 1), line = new Path2D();
  let from = null, last = 0;
  for (let index = 0; index < curve.points.length; index++) {
    const [moment, value] = curve.points[index], next = curve.points[index + 1];
    if (next && next[0] < view.begin) continue;
    if (from === null) { from = x(moment); line.moveTo(from, foot - Math.max(0, value) * tall); }
    else line.lineTo(x(moment), foot - Math.max(0, value) * tall);
    last = x(moment);
    if (moment > view.end) break;
  }
  if (from === null) return;
  pen.strokeStyle = colour("body"); pen.lineWidth = 1.3; pen.stroke(line); pen.lineWidth = 1;
  line.lineTo(last, foot); line.lineTo(from, foot);
  pen.globalAlpha = 0.3; pen.fillStyle = colour("first byte"); pen.fill(line); pen.globalAlpha = 1;
}

/** Shade what was not kept of the rows; where the stretches are finer than pixels, everything. */
function paintGaps() {
  if (run.stride === 1) return;
  pen.fillStyle = night.matches ? "#0007" : "#8a94a638";
  const isFine = (view.end - view.begin) / cycle > width() / 4;
  for (const { top, height } of sections.filter((part) => part.height)) {
    if (isFine) { pen.fillRect(LEFT, top, width(), height); continue; }
    for (let start = Math.floor(view.begin / cycle) * cycle; start < view.end; start += cycle)
      pen.fillRect(x(start + run.window), top, x(start + cycle) - x(start + run.window), height);
  }
}

/** Outline the bar under the pointer, and lead from a turn to the reading of its document and to its group. */
function paintLinks() {
  pen.strokeStyle = style("--ink"); pen.lineWidth = 1.5;
  const found = [hover, ...related(hover)];
  for (const { row, bar } of found)
    pen.strokeRect(x(bar.begin) - 0.5, row.y, Math.max(2, x(bar.end) - x(bar.begin)) + 1, row.pitch);
  pen.setLineDash([3, 3]);
  for (const { row, bar } of found.slice(1)) {
    pen.beginPath(); pen.moveTo(x(Math.max(hover.bar.begin, Math.min(bar.begin, hover.bar.end))), hover.row.y + hover.row.pitch);
    pen.lineTo(x(bar.begin), row.y); pen.stroke();
  }
  pen.setLineDash([]); pen.lineWidth = 1;
}

function related({ row, bar }) {
  if (!run.slots.some((slot) => slot.bars === row.bars)) return [];
  const found = [], storage = rows.find((other) => other.bars === run.storage.bars);
  for (const other of rows.filter((other) => run.workers.some((worker) => worker.bars === other.bars))) {
    for (let index = firstAfter(other.bars, bar.begin); index < other.bars.length && other.bars[index].begin <= bar.end; index++)
      if (other.bars[index].told.url === bar.told.url) found.push({ row: other, bar: other.bars[index] });
  }
  const group = storage && storage.bars.find((other) => other.name === "group" && other.begin === bar.group);
  return group ? [...found, { row: storage, bar: group }] : found;
}

function paintNames(muted) {
  pen.font = "11px system-ui, sans-serif"; pen.textAlign = "right"; pen.fillStyle = muted;
  let last = -99;
  for (const row of rows) {
    const y = row.y + row.pitch / 2 + 4;
    if (y - last < 11) continue;
    last = y;
    pen.fillText(row.pitch > 20 && run.stride === 1 ? `${row.name} · ${busy(row)} % busy` : row.name, LEFT - 8, y);
  }
  for (const curve of curves) {
    pen.fillText(curve.name, LEFT - 8, curve.y + 12);
    pen.fillText("most " + +curve.most.toPrecision(4), LEFT - 8, curve.y + 24);
  }
}

/** The share of what is in view that the row's bars fill. */
function busy(row) {
  let sum = 0;
  for (let index = firstAfter(row.bars, view.begin); index < row.bars.length && row.bars[index].begin < view.end; index++)
    sum += Math.min(row.bars[index].end, view.end) - Math.max(row.bars[index].begin, view.begin);
  return Math.round((100 * sum) / (view.end - view.begin));
}

// --- moving about ----------------------------------------------------------------------------------------------

function show(begin, end) {
  const length = Math.min(Math.max(end - begin, SHORTEST), run.length);
  begin = Math.min(Math.max(0, begin), run.length - length);
  view = { begin, end: begin + length };
  draw();
}
function zoom(factor, around = (view.begin + view.end) / 2) {
  show(around - (around - view.begin) * factor, around + (view.end - around) * factor);
}
const move = (share) => show(view.begin + (view.end - view.begin) * share, view.end + (view.end - view.begin) * share);

plot.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(event.deltaX / width());
  else zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 250), at(event.offsetX));
}, { passive: false });

let held = null;
plot.addEventListener("pointerdown", (event) => {
  held = { px: event.offsetX, ...view };
  plot.setPointerCapture(event.pointerId); plot.classList.add("held");
});
plot.addEventListener("pointerup", () => { held = null; plot.classList.remove("held"); });
plot.addEventListener("pointermove", (event) => {
  if (held) {
    const moved = ((held.px - event.offsetX) / width()) * (held.end - held.begin);
    show(held.begin + moved, held.end + moved);
    return;
  }
  hover = under(event.offsetX, event.offsetY);
  draw();
  if (!hover) { tip.style.display = "none"; return; }
  tip.replaceChildren(...words(hover));
  tip.style.display = "block";
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 10) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 10)) + "px";
});
plot.addEventListener("pointerleave", () => { hover = null; tip.style.display = "none"; draw(); });

function under(px, py) {
  const row = rows.find((row) => py >= row.y && py < row.y + row.pitch);
  if (!row || px < LEFT) return null;
  const bar = row.bars[firstAfter(row.bars, at(px - 2))];
  return bar && bar.begin <= at(px + 2) ? { row, bar } : null;
}

const KEYS = {
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: () => show(0, run.length),
  ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), Home: () => show(0, view.end - view.begin),
  End: () => show(run.length, run.length + view.end - view.begin),
  w: () => { const next = (Math.floor(view.begin / cycle) + 1) * cycle; show(next, next + run.window); },
  n: () => pick(0, 1), p: () => pick(0, -1), j: () => pick(1, 0), k: () => pick(-1, 0),
  Escape: () => { hover = null; picked.replaceChildren(); draw(); },
};
plot.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.getElementById("in").addEventListener("click", KEYS["+"]);
document.getElementById("out").addEventListener("click", KEYS["-"]);
document.getElementById("all").addEventListener("click", KEYS[0]);
document.getElementById("next").addEventListener("click", KEYS.w);
document.getElementById("next").hidden = run.stride === 1;

/** Pick a bar with the keys: the next in the row, or the nearest in another row; it is brought into view. */
function pick(down, right) {
  const filled = rows.filter((row) => row.bars.length);
  if (!filled.length) return;
  let row = hover ? hover.row : filled[0], index;
  const moment = hover ? hover.bar.begin : view.begin;
  if (down) row = filled[Math.min(filled.length - 1, Math.max(0, filled.indexOf(row) + down))];
  index = hover && !down ? row.bars.indexOf(hover.bar) + right : firstAfter(row.bars, moment);
  const bar = row.bars[Math.min(row.bars.length - 1, Math.max(0, index))];
  hover = { row, bar };
  picked.replaceChildren(...words(hover));
  const half = (view.end - view.begin) / 2;
  if (bar.begin < view.begin || bar.begin > view.end) show(bar.begin - half, bar.begin + half); else draw();
}

// --- words -----------------------------------------------------------------------------------------------------

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function swatch(name) {
  const made = element("i");
  made.style.background = colour(name);
  return made;
}

/** What a bar is, in words; its phases with their times. */
function words({ row, bar }) {
  const told = bar.told, made = [element("b", `${row.name} · ${bar.name} · ${time(bar.end - bar.begin)}`)];
  if (told.url) made.push(element("div", told.url));
  const facts = ["outcome", "reason", "status", "visits", "finds", "bytes", "urls"].filter((name) => told[name] !== undefined && told[name] !== null);
  if (facts.length) made.push(element("p", facts.map((name) => `${name} ${told[name]}`).join(", ")));
  const queued = told.timing && told.timing.queue;
  if (queued) made.push(element("p", `before it: ${time(Math.round(queued * 1000))} in the queue of its host`));
  made.push(element("p", `begins at ${(bar.begin / 1e6).toFixed(6)} s`));
  const steps = element("div", undefined, "steps");
  for (const [index, begin, end] of bar.steps) {
    const name = run.names[index], kind = run.kinds[name];
    steps.append(swatch(name), element("span", kind ? kind[2] : name), element("span", time(end - begin)));
  }
  return [...made, steps];
}

function writeLegend() {
  const legend = document.getElementById("legend"), groups = [];
  for (const [title, names] of run.legend) {
    if (!names.length) continue;
    const group = element("div");
    group.append(element("h2", title.split(" ·")[0]));
    for (const name of names) {
      const line = element("div");
      line.append(swatch(name), element("span", run.kinds[name][2]));
      group.append(line);
    }
    groups.push(group);
  }
  legend.replaceChildren(...groups);
}

document.getElementById("says").replaceChildren(...run.says.map((sentence) => element("p", sentence)));
night.addEventListener("change", () => { writeLegend(); draw(); });
addEventListener("resize", draw);
layOut(); writeLegend(); draw();
