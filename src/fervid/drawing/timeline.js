// Lanes of a timeline on a canvas: zoom with the wheel or + and −, move by dragging or with the arrows, read by pointing.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const canvas = document.getElementById("lanes");
  const names = document.getElementById("names");
  const tip = document.getElementById("tip");
  const context = canvas.getContext("2d");
  const count = data.labels.length;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const still = { start: 0, stop: Math.max(data.seconds, 1e-3) };
  const view = { ...still };
  const AXIS = 26;
  const GAP = 8;
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

  const unpack = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const lanes = data.lanes.map((lane) => ({ ...lane, said: unpack(lane.said), odds: unpack(lane.odds) }));
  const laneHeight = Math.round(Math.min(110, Math.max(30, 520 / Math.max(1, lanes.length))));
  const thin = laneHeight < 40;
  const parse = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  const colours = data.labels.map((label) => parse(label.colour));

  const clock = (seconds, decimals) => {
    const scale = 10 ** decimals;
    const ticks = Math.round(seconds * scale);
    const whole = Math.floor(ticks / scale);
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor(whole / 60) % 60;
    const rest = decimals ? "." + String(ticks % scale).padStart(decimals, "0") : "";
    return (hours ? `${hours}:${two(minutes)}` : `${minutes}`) + `:${two(whole % 60)}${rest}`;
  };

  // What lane says between two times: seconds under each label and uncertain, and mean probabilities. Null is absence.
  const read = (lane, start, stop) => {
    const first = Math.max(0, Math.floor(start / data.bin) - lane.first);
    const last = Math.min(lane.bins - 1, Math.max(first, Math.ceil(stop / data.bin) - 1 - lane.first));
    const said = new Float64Array(count + 1);
    const odds = new Float64Array(count);
    let seen = 0;
    if (stop / data.bin <= lane.first || start / data.bin >= lane.first + lane.bins) return null;
    for (let bin = first; bin <= last; bin++) {
      let part = 0;
      for (let i = 0; i <= count; i++) {
        const value = lane.said[bin * (count + 1) + i];
        said[i] += value;
        part += value;
      }
      for (let i = 0; i < count; i++) odds[i] += part * lane.odds[bin * count + i];
      seen += part;
    }
    if (seen === 0) return null;
    let total = 0;
    for (let i = 0; i < count; i++) total += odds[i];
    for (let i = 0; i <= count; i++) said[i] /= seen;
    for (let i = 0; i < count; i++) odds[i] /= total || 1;
    return { said, odds };
  };

  let width = 0;
  let ratio = 1;
  let paper = [255, 255, 255];
  let empty = [240, 240, 240];
  let faint = [100, 100, 100];

  const measure = () => {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => parse(style.getPropertyValue(name).trim());
    [paper, empty, faint] = [get("--paper"), get("--empty"), get("--faint")];
    ratio = Math.min(2, window.devicePixelRatio || 1);
    width = canvas.parentElement.clientWidth - names.offsetWidth;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${lanes.length * laneHeight + AXIS}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round((lanes.length * laneHeight + AXIS) * ratio);
  };

  const mix = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);

  // One lane as pixels, from the top: what was said, then the probabilities, both stacked in the order of the data.
  // Thin lanes show what was said alone, joined over a few columns.
  const paint = (lane, image, columns, rows) => {
    const strip = thin ? rows : Math.round(rows * 0.26);
    const group = thin ? Math.round(3 * ratio) : 1;
    const pixels = image.data;
    const shades = colours.map((colour) => mix(paper, colour, 0.66));
    const pale = colours.map((colour) => mix(paper, colour, 0.28));
    const put = (x, y, colour) => {
      const first = 4 * (y * columns + x);
      pixels[first] = colour[0];
      pixels[first + 1] = colour[1];
      pixels[first + 2] = colour[2];
      pixels[first + 3] = 255;
    };
    const period = Math.round(6 * ratio);
    const at = (x) => view.start + ((view.stop - view.start) * x) / columns;
    let found = null;
    for (let x = 0; x < columns; x++) {
      if (x % group === 0) found = read(lane, at(x), at(x + group));
      if (!found) {
        for (let y = 0; y < rows; y++) put(x, y, empty);
        continue;
      }
      let y = 0;
      let sum = found.said[count];
      for (; y < Math.round(sum * strip); y++) put(x, y, (x + y) % period < ratio ? faint : paper);
      for (let i = count - 1; i >= 0; i--) {
        sum += found.said[i];
        for (; y < Math.round(sum * strip); y++) put(x, y, colours[i]);
      }
      for (; y < strip; y++) put(x, y, paper);
      const palette = found.said[count] > 0.5 ? pale : shades;
      sum = 0;
      for (let i = count - 1; i >= 0; i--) {
        sum += found.odds[i];
        const end = i ? Math.min(rows, strip + Math.round(sum * (rows - strip))) : rows;
        for (; y < end; y++) put(x, y, palette[i]);
      }
    }
  };

  const draw = () => {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const rows = Math.round((laneHeight - GAP) * ratio);
    const image = context.createImageData(canvas.width, rows);
    lanes.forEach((lane, index) => {
      paint(lane, image, canvas.width, rows);
      context.putImageData(image, 0, Math.round((index * laneHeight + GAP / 2) * ratio));
    });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const span = view.stop - view.start;
    const step = STEPS.find((s) => (span / s) * 74 <= width) || STEPS[STEPS.length - 1];
    const bottom = lanes.length * laneHeight;
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let k = Math.ceil((data.start + view.start) / step - 1e-9); ; k++) {
      const x = ((k * step - data.start - view.start) / span) * width;
      if (x > width + 0.5) break;
      context.fillStyle = `rgb(${faint} / 0.3)`.replaceAll(",", " ");
      context.fillRect(Math.min(x, width - 1), 0, 1, bottom);
      context.fillStyle = `rgb(${faint.join(" ")})`;
      context.textAlign = x < 20 ? "left" : x > width - 20 ? "right" : "center";
      context.fillText(clock(k * step, step < 1 ? 1 : 0), x, bottom + AXIS / 2);
    }
  };

  let waiting = false;
  const redraw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };

  const show = (start, stop) => {
    const span = Math.min(still.stop, Math.max(4 * data.bin, stop - start));
    view.start = Math.min(Math.max(0, start), still.stop - span);
    view.stop = view.start + span;
    redraw();
  };
  const zoom = (factor, at = 0.5) => {
    const centre = view.start + (view.stop - view.start) * at;
    show(centre - (centre - view.start) * factor, centre + (view.stop - centre) * factor);
  };
  const move = (share) => {
    const by = (view.stop - view.start) * share;
    const start = Math.min(Math.max(0, view.start + by), still.stop - (view.stop - view.start));
    show(start, start + view.stop - view.start);
  };

  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const lane = lanes[Math.floor(y / laneHeight)];
    if (!lane || x < 0 || x > width) {
      tip.hidden = true;
      return;
    }
    const time = view.start + ((view.stop - view.start) * x) / width;
    const found = read(lane, time, time + 1e-6);
    tip.replaceChildren();
    const add = (name, text, parent = tip) => {
      const element = document.createElement(name);
      if (text) element.textContent = text;
      parent.append(element);
      return element;
    };
    add("b", `#${lane.id} · ${clock(data.start + time, data.bin < 0.5 ? 1 : 0)}`);
    if (!found) add("div", "not there");
    else {
      const best = found.said.indexOf(Math.max(...found.said));
      add("div", best === count ? "uncertain" : `read as ${data.labels[best].name}`);
      const order = [...data.labels.keys()].sort((a, b) => found.odds[b] - found.odds[a]);
      for (const i of order.slice(0, 4)) {
        const row = add("div");
        row.className = "bar";
        add("span", data.labels[i].name, row);
        const bar = add("i", "", row);
        bar.style.width = `${90 * found.odds[i]}px`;
        bar.style.background = data.labels[i].colour;
        add("span", `${Math.round(100 * found.odds[i])} %`, row);
      }
    }
    tip.hidden = false;
    const left = event.clientX + 16 + tip.offsetWidth > innerWidth ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, Math.min(innerHeight - tip.offsetHeight - 4, event.clientY + 16))}px`;
  };

  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX, start: view.start, stop: view.stop };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held) {
      const span = held.stop - held.start;
      const by = ((held.x - event.clientX) / width) * span;
      const start = Math.min(Math.max(0, held.start + by), still.stop - span);
      show(start, start + span);
    }
    point(event);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (held = null));
  canvas.addEventListener("pointerleave", () => (tip.hidden = true));
  canvas.addEventListener("dblclick", () => show(0, still.stop));
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (event.deltaY === 0 || (view.stop - view.start >= still.stop && event.deltaY > 0)) return;
      event.preventDefault();
      zoom(Math.exp(Math.sign(event.deltaY) * 0.2), (event.clientX - canvas.getBoundingClientRect().left) / width);
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const actions = {
      ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), "+": () => zoom(0.7), "=": () => zoom(0.7),
      "-": () => zoom(1 / 0.7), 0: () => show(0, still.stop), Home: () => move(-1e9), End: () => move(1e9),
    };
    if (event.ctrlKey || event.metaKey || !actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
  for (const [id, action] of [["in", () => zoom(0.6)], ["out", () => zoom(1 / 0.6)], ["all", () => show(0, still.stop)]])
    document.getElementById(id).addEventListener("click", action);

  document.documentElement.style.setProperty("--lane", `${laneHeight}px`);
  document.body.classList.add("live");
  const fit = () => {
    measure();
    redraw();
  };
  addEventListener("resize", fit);
  dark.addEventListener("change", fit);
  addEventListener("beforeprint", fit);
  fit();
})();
