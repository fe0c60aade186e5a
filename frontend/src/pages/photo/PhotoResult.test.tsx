// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import { fileError, networkError } from "../../api/errors";
import { PhotoResult } from "./PhotoResult";
import type { Photo, PhotoState } from "./store";

vi.mock("./store");

it.each([
  [networkError(), ["Try again"]],
  [fileError(), []],
])("after “%s” offers %j", (error, offered) => {
  const state = signal<PhotoState>({ kind: "failed", error });
  const root = document.createElement("div");
  act(() => render(<PhotoResult photo={{ name: "a.jpg", url: "", state } as Photo} />, root));
  const buttons = [...root.querySelectorAll('[role="alert"] button')];
  expect(buttons.map((button) => button.textContent)).toEqual(offered);
  render(null, root);
});
