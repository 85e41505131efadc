"use strict";
const table = document.getElementById("results");
// A page without runs has no table.
const body = table?.tBodies[0];
const heads = table ? [...table.tHead.rows[0].cells] : [];

// Ascending first, then descending; rows without a value stay last.
function sortBy(column) {
  const head = heads[column];
  const ascending = head.getAttribute("aria-sort") !== "ascending";
  heads.forEach((other) => other.setAttribute("aria-sort", "none"));
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const isValue = head.classList.contains("value");
  const rows = [...body.rows].map((row) => {
    const cell = row.cells[column];
    return { row, key: isValue ? parseFloat(cell.dataset.sortKey ?? "NaN") : cell.textContent.trim() };
  });
  const direction = ascending ? 1 : -1;
  rows.sort((a, b) => {
    if (!isValue) return direction * a.key.localeCompare(b.key, undefined, { numeric: true });
    if (isNaN(a.key) || isNaN(b.key)) return isNaN(a.key) - isNaN(b.key);
    return direction * (a.key - b.key);
  });
  body.append(...rows.map(({ row }) => row));
}
heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sortBy(column)));

const theme = document.getElementById("theme");
const systemIsDark = matchMedia("(prefers-color-scheme: dark)").matches;
function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  theme.setAttribute("aria-pressed", String(dark));
}
theme.hidden = false;
theme.setAttribute("aria-pressed", String(systemIsDark));
theme.addEventListener("click", () => setTheme(theme.getAttribute("aria-pressed") !== "true"));

document.getElementById("lattices")?.addEventListener("change", (event) => {
  document.body.classList.toggle("no-lattices", !event.target.checked);
});

// The ids of curves end in curve-PANEL-ROW-SEED.
const curves = document.getElementById("curves");
const lines = curves ? [...curves.querySelectorAll('[id*="curve-"]')] : [];
function mark(ids) {
  curves.classList.toggle("marked", ids !== null);
  lines.forEach((line) => line.classList.toggle("on", ids !== null && ids(line.id.split("curve-")[1].split("-"))));
}
document.querySelectorAll(".legend li").forEach((entry) => {
  const { row, seed } = entry.dataset;
  const ids = ([, ofRow, ofSeed]) => (row === undefined ? ofSeed === seed : ofRow === row);
  for (const name of ["mouseenter", "focus"]) entry.addEventListener(name, () => mark(ids));
  for (const name of ["mouseleave", "blur"]) entry.addEventListener(name, () => mark(null));
});
