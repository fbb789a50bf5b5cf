"use strict";
// Sorts the table by the column whose heading is pressed; pressed again, the other way round.
const table = document.querySelector("table");
const headings = [...table.tHead.rows[0].cells];
table.classList.add("sortable");

function compare(a, b) {
  const numbers = [Number(a), Number(b)];
  if (a !== "" && b !== "" && !numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
  return a.localeCompare(b, undefined, { numeric: true });
}

headings.forEach((heading, column) => {
  heading.addEventListener("click", () => {
    // Names begin with A, numbers with the highest.
    const first = column === 0 ? "ascending" : "descending";
    const other = column === 0 ? "descending" : "ascending";
    const order = heading.ariaSort === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    headings.forEach((each) => { each.ariaSort = each === heading ? order : "none"; });
    const value = (row) => row.cells[column].dataset.value;
    const rows = [...table.tBodies[0].rows].sort((a, b) => sign * compare(value(a), value(b)));
    table.tBodies[0].append(...rows);
  });
});
