/* What the theme leaves out for readers who use a keyboard or a screen reader. */

/* A name for each search button that is also the text it shows (the theme's label leaves out "Ctrl + K"). */
function nameSearchButtons() {
  for (const button of document.querySelectorAll(".search-button-field")) {
    button.removeAttribute("aria-label");
  }
}

/* Give wide tables a box of their own to scroll in. */
function wrapTables() {
  for (const table of document.querySelectorAll(".bd-article table")) {
    const box = document.createElement("div");
    box.className = "table-scroll";
    table.replaceWith(box);
    box.append(table);
  }
}

/* Say what the arrows in the side bar open (the theme shows an icon only). */
function nameSideBarArrows() {
  for (const arrow of document.querySelectorAll(".bd-links summary")) {
    const chapter = arrow.closest("li").querySelector("a");
    arrow.ariaLabel = `Pages under ${chapter.textContent.trim()}`;
  }
}

/* Say what the boxes of a task list mean. */
function nameCheckboxes() {
  for (const box of document.querySelectorAll(".task-list-item-checkbox")) {
    box.ariaLabel = box.checked ? "done" : "to do";
  }
}

/* The arrow keys scroll only what the Tab key can reach (the theme sees to code blocks). */
function reachScrollingBoxes() {
  const boxes = ".table-scroll, span.math, div.math mjx-container";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

/* Paper is white: print in light mode, whatever is on the screen. */
function printInLightMode() {
  const look = document.documentElement.dataset;
  let theme;
  window.addEventListener("beforeprint", () => {
    theme = look.theme;
    look.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    look.theme = theme;
  });
}

document.addEventListener("DOMContentLoaded", () => {
  printInLightMode();
  nameSearchButtons();
  nameSideBarArrows();
  nameCheckboxes();
  wrapTables();
});
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready; // a late font may change what is wider than its box
  reachScrollingBoxes();
});
window.addEventListener("resize", reachScrollingBoxes);
