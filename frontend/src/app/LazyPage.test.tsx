// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import { LazyPage } from "./LazyPage";
import type { Page } from "./pages";

it("loads the document again when its page could not be fetched: a module that failed is not fetched twice", async () => {
  const load = vi.fn(() => Promise.reject(new TypeError("Failed to fetch")));
  const reload = vi.spyOn(window.location, "reload").mockImplementation(() => {});
  const root = document.createElement("div");
  const page: Page = { patterns: ["/film"], title: "Film", load };
  act(() => render(<LazyPage page={page} params={{}} />, root));
  await act(async () => {});
  expect(root.textContent).toContain("This page could not be fetched.");
  act(() => root.querySelector("button")?.click());
  expect([reload.mock.calls.length, load.mock.calls.length]).toEqual([1, 1]);
});
