/** Where the keyboard goes on when what it was on is gone. */

/**
 * Keep the focus in `main` when what has it is taken out of the page: it goes to what is left around, which is whatever
 * says `tabIndex={-1}` or holds a heading, and to the heading there.
 *
 * Browsers would let go of it, and a screen reader would say nothing of what came instead. Where there is no heading yet,
 * because the next thing is still fetched, the first one takes it. Returns what ends this.
 */
export function keepFocus(main: HTMLElement): () => void {
  let last: Node | null = null;
  let around: Node | null = null;
  const note = ({ target }: FocusEvent): void => {
    last = target as Node;
  };
  const observer = new MutationObserver((changes) => {
    if (last === null || last.isConnected || document.activeElement !== document.body) return;
    const gone = changes.find(({ removedNodes }) => [...removedNodes].some((node) => node.contains(last)));
    if (gone) around = gone.target;
    const place = findPlace(around, main);
    if (!place) return;
    if (!place.hasAttribute("tabindex")) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  });
  document.addEventListener("focusin", note);
  observer.observe(main, { childList: true, subtree: true });
  return () => {
    document.removeEventListener("focusin", note);
    observer.disconnect();
  };
}

function findPlace(from: Node | null, main: HTMLElement): HTMLElement | null {
  let around = from instanceof HTMLElement && main.contains(from) ? from : main;
  while (around !== main) {
    const place = around.matches('[tabindex="-1"]') ? around : around.querySelector<HTMLElement>("h1, h2");
    if (place) return place;
    around = around.parentElement as HTMLElement;
  }
  return main.querySelector<HTMLElement>("h1, h2");
}
