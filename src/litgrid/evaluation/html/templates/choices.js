const SIDES = ["left", "right"];

/** The number that a select or slider stands at. */
const chosen = (id) => Number(document.getElementById(id).value);

/** Call when any of these controls changes. */
function onChange(ids, draw) {
  for (const id of ids) document.getElementById(id).addEventListener("input", draw);
}
