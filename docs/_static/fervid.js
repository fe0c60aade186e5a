// What is wider than the screen can be scrolled by keyboard too.
const reachScrolled = () => {
  for (const box of document.querySelectorAll("pre, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
addEventListener("load", reachScrolled);
addEventListener("resize", reachScrolled);
