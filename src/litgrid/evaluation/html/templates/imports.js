/** Heat maps of imports: two controllers, one scale of colours. */
function imports(described, read) {
  const { steps, stepsPerDay, controllers } = described;
  const days = Math.floor(steps / stepsPerDay);
  const colors = read(described.colors);
  const most = Math.max(...controllers.map(({ import_kw }) => import_kw.scale * 32767));

  const pixels = (canvas, width, height, value) => {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const color = 3 * Math.min(255, Math.max(0, Math.round(255 * value(x, y))));
        image.data.set([colors[color], colors[color + 1], colors[color + 2], 255], 4 * (y * width + x));
      }
    context.putImageData(image, 0, 0);
  };

  const draw = (side) => {
    const year = chosen("imports-year");
    const controller = controllers[chosen(`imports-${side}`)];
    const kw = read(controller.import_kw, year * steps, steps);
    const canvas = document.getElementById(`imports-${side}-map`);
    pixels(canvas, days, stepsPerDay, (day, step) => kw[day * stepsPerDay + step] / most);
    canvas.onpointermove = (event) => {
      const day = Math.min(days - 1, Math.floor((event.offsetX / canvas.clientWidth) * days));
      const step = Math.min(stepsPerDay - 1, Math.floor((event.offsetY / canvas.clientHeight) * stepsPerDay));
      if (day < 0 || step < 0) return;
      const value = number(kw[day * stepsPerDay + step]);
      tip(event, `${dayText(described, day)}, ${clockText(described, step)}\nimport ${value} kW`);
    };
    canvas.onpointerleave = (event) => tip(event, "");
    const energy = kw.reduce((sum, value) => sum + value, 0) * described.stepHours;
    document.getElementById(`imports-${side}-sum`).textContent =
      `${number(energy / 1000, 1)} MWh a year, at most ${number(Math.max(...kw))} kW`;
  };

  const months = described.monthDays.map((length, month) => {
    const first = described.monthDays.slice(0, month).reduce((sum, more) => sum + more, 0);
    return { name: MONTHS[month], length: Math.min(length, days - first) };
  });
  for (const row of document.querySelectorAll("#imports .months"))
    for (const { name, length } of months.filter(({ length }) => length > 0)) {
      const span = document.createElement("span");
      span.textContent = name;
      span.style.flex = `${length} 0 0`;
      row.append(span);
    }
  pixels(document.getElementById("imports-colors"), 256, 1, (x) => x / 255);
  document.getElementById("imports-most").textContent = `${number(most)} kW, the highest of all controllers and years`;
  const both = () => SIDES.forEach(draw);
  onChange(["imports-year", ...SIDES.map((side) => `imports-${side}`)], both);
  both();
}
