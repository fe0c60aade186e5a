// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import { announce } from "../../ui/announce";
import { ConnectionNotice } from "./ConnectionNotice";
import type { Connection } from "./socket";

vi.mock("../../ui/announce");

it("tells a screen reader of the server's trouble, once", () => {
  const root = document.createElement("div");
  const connection = signal<Connection>({ status: "open" });
  const trouble = signal<string | null>(null);
  act(() =>
    render(
      <ConnectionNotice connection={connection} trouble={trouble} consequence="" onHurry={() => {}} />,
      root,
    ),
  );
  for (const words of ["the store does not answer", "the store does not answer", null]) {
    act(() => {
      trouble.value = words;
    });
  }
  expect(vi.mocked(announce).mock.calls).toEqual([["The server is in trouble: the store does not answer."]]);
  render(null, root);
});
