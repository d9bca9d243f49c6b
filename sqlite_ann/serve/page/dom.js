// Elements made of plain values. Text goes in as text, never as HTML: a title may hold anything.

const SVG = "http://www.w3.org/2000/svg";

// make("a", { href: "#id=1" }, "text", …): an element; what is null or false is left out.
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// The same for SVG.
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// A picture of index.html, by its name there.
export function icon(name) {
  const use = draw("use", { href: `#icon-${name}` });
  return draw("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, use);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
