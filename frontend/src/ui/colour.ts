/** The colour behind a CSS variable now, as a canvas understands it: one that is `light-dark(…)` is resolved. */
export function readColour(element: HTMLElement, variable: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${variable})`;
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
