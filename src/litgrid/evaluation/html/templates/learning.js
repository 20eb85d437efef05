const LEARNING = { left: 76, right: 16, top: 20, height: 300, bottom: 40 };
const COLORS = 6;

/** Learning curves, a line for each seed, against frames or minutes. */
function learning(described) {
  const { agents, currency, references } = described;
  const levels = Object.entries(references);
  const host = document.getElementById("learning-plot");
  if (!host) return;

  const draw = () => {
    const axis = document.querySelector("input[name=learning-axis]:checked").value;
    const lines = agents.flatMap((agent, color) =>
      agent.curves.map((curve) => ({
        name: `${agent.name} (seed ${curve.seed})`,
        color: color % COLORS,
        points: curve.objective.map((value, index) => [curve[axis][index], value]).filter(([at]) => at !== null),
      })),
    );
    const without = lines.filter((line) => line.points.length === 0);
    document.getElementById("learning-note").textContent =
      without.length > 0 ? `Without ${axis} in their metrics.csv: ${without.map((line) => line.name).join(", ")}.` : "";
    const points = lines.flatMap((line) => line.points);
    host.replaceChildren(...(points.length > 0 ? [picture(lines, points, axis)] : []));
  };

  const picture = (lines, points, axis) => {
    const right = host.clientWidth - LEARNING.right, bottom = LEARNING.top + LEARNING.height;
    const values = [...points.map(([, value]) => value), ...levels.map(([, value]) => value)];
    const low = Math.min(...values), high = Math.max(...values), margin = 0.04 * (high - low) || 1;
    const most = Math.max(...points.map(([at]) => at)) || 1;
    const x = scale(0, most, LEARNING.left, right), y = scale(low - margin, high + margin, bottom, LEARNING.top);
    const across = ticks(0, most, Math.max(2, Math.floor((right - LEARNING.left) / 110)));
    const root = svg(
      "svg",
      { viewBox: `0 0 ${host.clientWidth} ${bottom + LEARNING.bottom}` },
      ...valueAxis(y, ticks(low - margin, high + margin, 6), LEARNING.left, right),
      ...across.map((value) => svg("text", { x: x(value), y: bottom + 17, "text-anchor": "middle" }, tickText(value, across))),
      svg("text", { x: right, y: bottom + 34, "text-anchor": "end" }, axis),
      svg("text", { x: LEARNING.left, y: 10, "text-anchor": "end" }, currency),
      ...levels.flatMap(([name, value]) => [
        svg("line", { class: "level", x1: LEARNING.left, x2: right, y1: y(value), y2: y(value) }),
        svg("text", { x: right, y: y(value) - 5, "text-anchor": "end" }, name),
      ]),
      ...lines.filter((line) => line.points.length > 0).flatMap((line) => curve(line, x, y)),
    );
    root.onpointermove = (event) => nearest(event, root, lines, x, y, axis);
    root.onpointerleave = (event) => tip(event, "");
    return root;
  };

  const curve = ({ color, points }, x, y) => [
    svg("path", { class: "curve", style: `stroke: var(--series-${color})`, d: "M" + points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }),
    ...points.map(([at, value]) => svg("circle", { cx: x(at), cy: y(value), r: 2, style: `fill: var(--series-${color})` })),
  ];

  const nearest = (event, root, lines, x, y, axis) => {
    const box = root.getBoundingClientRect();
    let best = null, least = 40;
    for (const line of lines)
      for (const [at, value] of line.points) {
        const far = Math.hypot(x(at) - (event.clientX - box.left), y(value) - (event.clientY - box.top));
        if (far < least) [best, least] = [`${line.name}\n${number(at, axis === "minutes" ? 1 : 0)} ${axis}\n${number(value)} ${currency}`, far];
      }
    tip(event, best);
  };

  document.getElementById("learning-legend").append(
    ...agents.map((agent, color) => {
      const item = document.createElement("span"), stroke = document.createElement("i");
      stroke.className = "stroke";
      stroke.style.borderColor = `var(--series-${color % COLORS})`;
      item.append(stroke, ` ${agent.name}`);
      return item;
    }),
  );
  for (const input of document.querySelectorAll("input[name=learning-axis]")) input.addEventListener("input", draw);
  redrawn(host, draw);
}
