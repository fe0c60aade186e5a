// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";
import { Announcer } from "../../ui/announce";
import { ConnectionNotice } from "./ConnectionNotice";
import type { Connection } from "./socket";

it("tells a screen reader of the server's trouble, once", () => {
  const root = document.createElement("div");
  const connection = signal<Connection>({ status: "open" });
  const trouble = signal<string | null>(null);
  act(() =>
    render(
      <>
        <Announcer />
        <ConnectionNotice connection={connection} trouble={trouble} consequence="" onHurry={() => {}} />
      </>,
      root,
    ),
  );
  const told = ["the store does not answer", "the store does not answer", null].map((words) => {
    act(() => {
      trouble.value = words;
    });
    return root.querySelector("[role=status]")?.textContent;
  });
  // A sentence that is said again ends otherwise.
  expect(told).toEqual(Array(3).fill("The server is in trouble: the store does not answer."));
  render(null, root);
});
