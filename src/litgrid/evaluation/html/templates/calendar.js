const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** Weekday, day of the month and month of a day of the year, from 0. */
function date(described, day) {
  let month = 0, first = 0;
  while (day >= first + described.monthDays[month]) first += described.monthDays[month++];
  return { weekday: WEEKDAYS[(described.weekday + day) % 7], day: day - first + 1, month: MONTHS[month] };
}

/** "Mon 5 Jan" */
function dayText(described, day) {
  const { weekday, day: number, month } = date(described, day);
  return `${weekday} ${number} ${month}`;
}

/** "18:15" of a step of the day. */
function clockText(described, step) {
  const minutes = Math.round(60 * described.stepHours * step);
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}
