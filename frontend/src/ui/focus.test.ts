// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it } from "vitest";
import { keepFocus } from "./focus";

let main: HTMLElement;
let stop: () => void;

beforeEach(() => {
  document.body.innerHTML = '<header><button id="theme"></button></header><main tabindex="-1"></main>';
  main = document.querySelector("main") as HTMLElement;
  stop = keepFocus(main);
});

afterEach(() => stop());

/** Puts the focus on what is called `#pressed`, takes `#gone` out; what has the focus then. */
async function lose(html: string): Promise<Element | null> {
  main.innerHTML = html;
  main.querySelector<HTMLElement>("#pressed")?.focus();
  main.querySelector("#gone")?.remove();
  await new Promise((resolve) => setTimeout(resolve));
  return document.activeElement;
}

it("goes to the page's heading when what had the focus is replaced", async () => {
  const place = await lose(
    '<div><h1>Live</h1><section id="gone"><button id="pressed"></button></section></div>',
  );
  expect(place?.textContent).toBe("Live");
  expect(place?.getAttribute("tabindex")).toBe("-1");
});

it("stays as near as it can: in the section with a heading, or in the one that says that it takes it", async () => {
  const button = '<button id="pressed"></button>';
  const headed = `<h1>Photo</h1><section><h2>1 face</h2><p id="gone">${button}</p></section>`;
  expect((await lose(headed))?.textContent).toBe("1 face");
  const named = `<h1>Room</h1><section tabindex="-1" aria-label="Your hand"><form id="gone">${button}</form></section>`;
  expect((await lose(named))?.getAttribute("aria-label")).toBe("Your hand");
});

it("waits for a heading that is still fetched", async () => {
  expect(await lose('<section id="gone"><button id="pressed"></button></section>')).toBe(document.body);
  main.innerHTML = "<h1>Graphs</h1>";
  await new Promise((resolve) => setTimeout(resolve));
  expect(document.activeElement?.textContent).toBe("Graphs");
});

it("leaves the focus where somebody has put it", async () => {
  main.innerHTML = '<h1>Live</h1><button id="pressed"></button>';
  main.querySelector<HTMLElement>("#pressed")?.focus();
  document.querySelector<HTMLElement>("#theme")?.focus();
  main.querySelector("#pressed")?.remove();
  await new Promise((resolve) => setTimeout(resolve));
  expect(document.activeElement?.id).toBe("theme");
});
