const WEEK = { left: 48, right: 40, top: 18, power: 250, gap: 34, battery: 90, bottom: 24 };
const DAYS = 7;

/** A week of two controllers side by side, on the same axes. */
function week(described, read) {
  const { stepsPerDay, stepHours, currency, common } = described;
  const count = Math.min(DAYS * stepsPerDay, described.steps);
  const plots = SIDES.map((side) => document.getElementById(`week-${side}-plot`));

  /** All that is shown of a controller: name -> [count]. */
  const taken = (controller) => {
    const first = chosen("week-year") * described.steps + (chosen("week-number") - 1) * count;
    const shown = { name: controller.name };
    for (const [key, series] of Object.entries({ ...common, ...controller }))
      if (key !== "name") shown[key] = [...read(series, first, count)];
    shown.used = shown.load_kw.map((load, step) => load + shown.ev_kw[step]);
    shown.top = shown.used.map((used, step) => used + shown.charge_kw[step]);
    return shown;
  };

  const draw = () => {
    const both = SIDES.map((side) => taken(described.controllers[chosen(`week-${side}`)]));
    const low = -Math.max(...both.flatMap((shown) => shown.discharge_kw));
    const high = Math.max(1, ...both.flatMap((shown) => [...shown.top, ...shown.import_kw]));
    document.getElementById("week-shown").value = chosen("week-number");
    both.forEach((shown, number) => panel(plots[number], shown, 1.05 * low, 1.05 * high));
    SIDES.forEach((side, number) => (document.getElementById(`week-${side}-sum`).textContent = sums(both[number])));
  };

  const sums = (shown) => {
    const energy = (key) => number(shown[key].reduce((sum, kw) => sum + kw, 0) * stepHours);
    return `Import ${energy("import_kw")} kWh, at most ${number(Math.max(...shown.import_kw))} kW; vehicles ${energy("ev_kw")} kWh; ` +
      `battery charges ${energy("charge_kw")} and discharges ${energy("discharge_kw")} kWh; PV at most ${number(Math.max(...shown.pv_kw))} kW.`;
  };

  const panel = (host, shown, low, high) => {
    const width = host.clientWidth;
    const right = width - WEEK.right, below = WEEK.top + WEEK.power, battery = below + WEEK.gap;
    const x = scale(0, count, WEEK.left, right);
    const edges = Array.from({ length: count + 1 }, (_, step) => x(step) - WEEK.left);
    const root = svg("svg", { viewBox: `0 0 ${width} ${battery + WEEK.battery + WEEK.bottom}` });
    root.append(...days(x, shown), ...power(shown, edges, right, low, high), ...soc(shown, edges, right, battery));
    const cursor = svg("line", { class: "cursor", y1: WEEK.top, y2: battery + WEEK.battery, visibility: "hidden" });
    root.append(cursor);
    root.onpointermove = (event) => {
      const step = Math.floor(((event.clientX - root.getBoundingClientRect().left - WEEK.left) / (right - WEEK.left)) * count);
      if (step < 0 || step >= count) return;
      for (const [key, value] of [["x1", x(step + 0.5)], ["x2", x(step + 0.5)], ["visibility", "visible"]]) cursor.setAttribute(key, value);
      tip(event, at(shown, step));
    };
    root.onpointerleave = (event) => (cursor.setAttribute("visibility", "hidden"), tip(event, ""));
    host.replaceChildren(root);
  };

  /** Names of the days, and lines between them. */
  const days = (x) => {
    const first = ((chosen("week-number") - 1) * count) / stepsPerDay;
    const bottom = WEEK.top + WEEK.power + WEEK.gap + WEEK.battery;
    const wide = x(stepsPerDay) - x(0) > 66;
    return Array.from({ length: Math.ceil(count / stepsPerDay) }, (_, day) => {
      const { weekday, day: number, month } = date(described, first + day);
      const text = wide ? `${weekday} ${number} ${month}` : day === 0 ? `${number} ${month}` : `${number}`;
      return [
        svg("line", { class: "grid", x1: x(day * stepsPerDay), x2: x(day * stepsPerDay), y1: WEEK.top, y2: bottom }),
        svg("text", { x: x((day + 0.5) * stepsPerDay), y: bottom + 17, "text-anchor": "middle" }, text),
      ];
    }).flat();
  };

  const power = (shown, edges, right, low, high) => {
    const y = scale(low, high, WEEK.power, 0);
    const pixels = (values) => values.map((value) => y(value));
    const zero = edges.slice(1).map(() => y(0));
    const area = (name, from, to) => svg("path", { class: name, d: band(edges, from, to) });
    const line = (name, values) => svg("path", { class: `curve ${name}`, d: steps(edges, pixels(values)) });
    const inside = svg(
      "svg",
      { x: WEEK.left, y: WEEK.top, width: right - WEEK.left, height: WEEK.power, overflow: "hidden" },
      area("load", zero, pixels(shown.load_kw)),
      area("ev", pixels(shown.load_kw), pixels(shown.used)),
      area("charge", pixels(shown.used), pixels(shown.top)),
      area("discharge", zero, pixels(shown.discharge_kw.map((kw) => -kw))),
      line("pv", shown.pv_kw),
      line("import", shown.import_kw),
    );
    const axis = valueAxis((value) => WEEK.top + y(value), ticks(low, high, 6), WEEK.left, right);
    return [...axis, inside, svg("text", { x: WEEK.left, y: 10, "text-anchor": "end" }, "kW")];
  };

  const soc = (shown, edges, right, top) => {
    const y = scale(0, 100, WEEK.battery, 0);
    const most = 1.15 * Math.max(1e-9, ...shown.price_per_kwh);
    const price = scale(0, most, WEEK.battery, 0);
    const inside = svg(
      "svg",
      { x: WEEK.left, y: top, width: right - WEEK.left, height: WEEK.battery, overflow: "hidden" },
      svg("path", { class: "price", d: band(edges, shown.price_per_kwh.map(() => WEEK.battery), shown.price_per_kwh.map(price)) }),
      svg("path", { class: "curve soc", d: "M" + shown.soc.map((soc, step) => `${edges[step].toFixed(1)},${y(100 * soc).toFixed(1)}`).join(" ") }),
    );
    const prices = ticks(0, most, 3);
    return [
      inside,
      ...valueAxis((value) => top + y(value), [0, 50, 100], WEEK.left, right),
      ...prices.map((value) => svg("text", { x: right + 6, y: top + price(value) + 4 }, tickText(value, prices))),
      svg("text", { x: WEEK.left, y: top - 8, "text-anchor": "start" }, "SOC, %"),
      svg("text", { x: right + WEEK.right, y: top - 8, "text-anchor": "end" }, `price, ${currency}/kWh`),
    ];
  };

  /** What is shown at a step, in words. */
  const at = (shown, step) => {
    const day = Math.floor(((chosen("week-number") - 1) * count + step) / stepsPerDay);
    const kw = (key) => `${number(shown[key][step])} kW`;
    return [
      `${shown.name}: ${dayText(described, day)}, ${clockText(described, step % stepsPerDay)}`,
      `building ${kw("load_kw")}`,
      `vehicles ${kw("ev_kw")}`,
      `battery ${shown.discharge_kw[step] > 0 ? `gives ${kw("discharge_kw")}` : `takes ${kw("charge_kw")}`}`,
      `PV ${kw("pv_kw")}`,
      `import ${kw("import_kw")}, export ${kw("export_kw")}`,
      `SOC ${number(100 * shown.soc[step])} %`,
      `price ${number(shown.price_per_kwh[step], 3)} ${currency}/kWh`,
    ].join("\n");
  };

  const slider = document.getElementById("week-number");
  for (const [id, move] of [["week-before", -1], ["week-after", 1]])
    document.getElementById(id).addEventListener("click", () => {
      slider.value = chosen("week-number") + move;
      draw();
    });
  onChange(["week-year", "week-number", ...SIDES.map((side) => `week-${side}`)], draw);
  plots.forEach((plot) => redrawn(plot, draw));
}
