/** An SVG element with attributes and children; strings become text. */
function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A linear scale from values to pixels. */
const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);

/** Round values in [low, high], about as many as are wanted. */
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number++) found.push(number * step);
  return found;
}

/** A number with separators between thousands. */
function number(value, decimals = 0) {
  const form = { minimumFractionDigits: decimals, maximumFractionDigits: decimals, signDisplay: "negative" };
  return value.toLocaleString("en", form).replace("-", "−");
}

/** A value for an axis, with as many decimals as a step between ticks needs. */
const tickText = (value, all) => number(value, all.length > 1 ? Math.max(0, -Math.floor(Math.log10(all[1] - all[0]) + 1e-9)) : 0);

/** Horizontal lines with their values at the left. */
function valueAxis(y, values, left, right) {
  return values.flatMap((value) => [
    svg("line", { class: Math.abs(value) < 1e-9 ? "axis" : "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
    svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, tickText(value, values)),
  ]);
}

/** A line that keeps each value for its whole step: path from step edges [n + 1] and values [n] in pixels. */
const steps = (edges, values) =>
  values.map((value, index) => `${index ? "V" : `M${edges[0]},`}${value.toFixed(1)}H${edges[index + 1].toFixed(1)}`).join("");

/** The area between two such lines. */
function band(edges, lower, upper) {
  const there = [], back = [];
  for (let index = 0; index < upper.length; index++) {
    there.push(`${edges[index].toFixed(1)},${upper[index].toFixed(1)} ${edges[index + 1].toFixed(1)},${upper[index].toFixed(1)}`);
    back.push(`${edges[index + 1].toFixed(1)},${lower[index].toFixed(1)} ${edges[index].toFixed(1)},${lower[index].toFixed(1)}`);
  }
  return `M${there.join(" ")} ${back.reverse().join(" ")}Z`;
}

/** Draw into a host, and again whenever its width changes. */
function redrawn(host, draw) {
  let width = 0;
  const observer = new ResizeObserver(() =>
    requestAnimationFrame(() => {
      if (host.clientWidth === width || host.clientWidth === 0) return;
      width = host.clientWidth;
      draw();
    }),
  );
  observer.observe(host);
}

/** Show text beside the pointer, within the window; without text hide it. */
function tip(event, text) {
  const box = document.getElementById("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  const left = event.clientX + 16 + box.offsetWidth > innerWidth ? event.clientX - 16 - box.offsetWidth : event.clientX + 16;
  box.style.left = `${Math.max(4, left)}px`;
  box.style.top = `${Math.max(4, Math.min(event.clientY + 16, innerHeight - box.offsetHeight - 4))}px`;
}
