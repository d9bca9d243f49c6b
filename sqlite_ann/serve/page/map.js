// The map of all rows: a point each, coloured by a column; the answer marked; zoom by the wheel or buttons, drag, choose.

import { make } from "./dom.js";

const HUES = 12; // as many as page.css has, and the server gives names
const MARGIN = 14;
const REACH = 12; // pixels from the pointer within which a point is found
const MOST = 40; // times nearer than the whole

export class SongMap {
  // onHover(id or null, x, y), onChoose(id)
  constructor(canvas, { onHover, onChoose }) {
    this.canvas = canvas;
    this.points = { ids: [], x: [], y: [], colors: [], names: [] };
    this.place = new Map(); // index of a point by its id
    this.radius = 1; // pixels
    this.marked = { chosen: null, near: [], pointed: null };
    this.base = document.createElement("canvas"); // all points, drawn again when the view changes
    this.onHover = onHover;
    this.onChoose = onChoose;
    this.whole();
    this.#listen();
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#resize());
  }

  setPoints(points) {
    this.points = points;
    this.place = new Map(points.ids.map((id, i) => [id, i]));
    this.radius = Math.min(Math.max(60 / Math.sqrt(points.ids.length), 1.15), 3.5); // few points are larger
    this.#resize();
  }

  drawLegend(list) {
    const dot = (hue) => make("span", { class: "dot", style: `background: var(--hue-${hue})` });
    const names = this.points.names.length > 1 ? this.points.names : [];
    list.replaceChildren(...names.map((name, hue) => make("li", {}, dot(hue), String(name) || "–")));
  }

  // The chosen row and those near it.
  mark(chosen, near) {
    this.marked = { chosen, near, pointed: null };
    this.#draw();
  }

  point(id) {
    this.marked.pointed = id;
    this.#draw();
  }

  whole() {
    this.view = { zoom: 1, x: 0.5, y: 0.5 }; // how near, and what is in the middle
    this.#drawAll();
  }

  // By this factor; (px, py) stays where it is.
  zoom(factor, px = this.canvas.clientWidth / 2, py = this.canvas.clientHeight / 2) {
    const { zoom, x, y } = this.view;
    const next = Math.min(Math.max(zoom * factor, 1), MOST);
    const side = this.#side();
    const dx = (px - this.canvas.clientWidth / 2) / side;
    const dy = (py - this.canvas.clientHeight / 2) / side;
    this.#look(next, x + dx / zoom - dx / next, y + dy / zoom - dy / next);
  }

  #look(zoom, x, y) {
    const edge = 0.5 / zoom; // what is seen stays within the map
    const inside = (at) => Math.min(Math.max(at, edge), 1 - edge);
    this.view = { zoom, x: inside(x), y: inside(y) };
    this.#drawAll();
  }

  // Of the square that holds the whole map, in pixels of the page.
  #side() {
    return Math.max(Math.min(this.canvas.clientWidth, this.canvas.clientHeight) - 2 * MARGIN, 1);
  }

  // Where a point is, in pixels of the page; y goes upwards as in a plot.
  #at(i) {
    const { zoom, x, y } = this.view;
    const scale = zoom * this.#side();
    return [
      this.canvas.clientWidth / 2 + (this.points.x[i] - x) * scale,
      this.canvas.clientHeight / 2 + (1 - this.points.y[i] - y) * scale,
    ];
  }

  #nearest(px, py) {
    let best = null;
    let least = REACH ** 2;
    for (let i = 0; i < this.points.ids.length; i += 1) {
      const [x, y] = this.#at(i);
      const square = (x - px) ** 2 + (y - py) ** 2;
      if (square < least) [best, least] = [i, square];
    }
    return best;
  }

  #listen() {
    let from = null; // where a drag began, and the view then
    let moved = false;
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = { px: event.offsetX, py: event.offsetY, ...this.view };
      moved = false;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from) {
        const scale = from.zoom * this.#side();
        const [dx, dy] = [event.offsetX - from.px, event.offsetY - from.py];
        moved ||= Math.hypot(dx, dy) > 4;
        if (moved) this.#look(from.zoom, from.x - dx / scale, from.y - dy / scale);
        return;
      }
      const i = this.#nearest(event.offsetX, event.offsetY);
      canvas.style.cursor = i === null ? "" : "pointer";
      const id = i === null ? null : this.points.ids[i];
      if (id !== this.marked.pointed) this.point(id);
      this.onHover(id, ...(i === null ? [0, 0] : this.#at(i)));
    });
    canvas.addEventListener("pointerup", (event) => {
      const i = moved || !from ? null : this.#nearest(event.offsetX, event.offsetY);
      from = null;
      if (i !== null) this.onChoose(this.points.ids[i]);
    });
    canvas.addEventListener("pointercancel", () => (from = null)); // the finger scrolls the page
    canvas.addEventListener("pointerleave", () => {
      this.onHover(null, 0, 0);
      this.point(null);
    });
  }

  #resize() {
    const { canvas, base } = this;
    const ratio = devicePixelRatio || 1;
    for (const one of [canvas, base]) {
      one.width = canvas.clientWidth * ratio;
      one.height = canvas.clientHeight * ratio;
    }
    this.#drawAll();
  }

  #drawAll() {
    const style = getComputedStyle(this.canvas);
    const { width, height } = this.base;
    if (!width || !this.points.ids.length) return;
    const ratio = devicePixelRatio || 1;
    const context = this.base.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const radius = Math.min(this.radius * this.view.zoom ** 0.4, 4) * ratio;
    const dots = Array.from({ length: HUES }, (_, hue) => dot(style.getPropertyValue(`--hue-${hue}`), radius));
    for (let i = 0; i < this.points.ids.length; i += 1) {
      const [x, y] = this.#at(i);
      if (x < -9 || y < -9 || x * ratio > width + 9 || y * ratio > height + 9) continue;
      const image = dots[this.points.colors[i] % HUES];
      context.drawImage(image, x * ratio - image.width / 2, y * ratio - image.height / 2);
    }
    this.#draw();
  }

  // The points as they are, and over them what is marked.
  #draw() {
    const { canvas, marked } = this;
    if (!canvas.width) return;
    const style = getComputedStyle(canvas);
    const ratio = devicePixelRatio || 1;
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.globalAlpha = marked.chosen === null ? 1 : 0.75;
    context.drawImage(this.base, 0, 0);
    context.globalAlpha = 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const [accent, ink, paper] = ["--accent", "--ink", "--paper"].map((name) => style.getPropertyValue(name));
    const found = (id) => this.place.has(id);
    const at = (id) => this.#at(this.place.get(id));
    if (found(marked.chosen)) {
      context.strokeStyle = ink;
      context.lineWidth = 0.8;
      for (const id of marked.near.filter(found)) line(context, at(marked.chosen), at(id));
    }
    for (const id of marked.near.filter(found)) disc(context, at(id), 3.5, ink, paper);
    if (found(marked.chosen)) disc(context, at(marked.chosen), 5.5, accent, paper);
    if (found(marked.pointed)) {
      disc(context, at(marked.pointed), 5.5, marked.pointed === marked.chosen ? accent : ink, paper);
      context.strokeStyle = ink;
      context.lineWidth = 1.2;
      ring(context, at(marked.pointed), 9);
    }
  }
}

// A point as an image, to be stamped thousands of times.
function dot(color, radius) {
  const image = document.createElement("canvas");
  image.width = image.height = Math.ceil(2 * radius + 2);
  const context = image.getContext("2d");
  context.globalAlpha = 0.7;
  context.fillStyle = color;
  context.beginPath();
  context.arc(image.width / 2, image.height / 2, radius, 0, 7);
  context.fill();
  return image;
}

function disc(context, [x, y], radius, color, edge) {
  context.fillStyle = color;
  context.strokeStyle = edge;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fill();
  context.stroke();
}

function ring(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.stroke();
}

function line(context, [x1, y1], [x2, y2]) {
  context.globalAlpha = 0.5;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  context.globalAlpha = 1;
}
