// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import type { Room } from "../../api/rooms";
import type { Host } from "./host";
import { SessionCard } from "./SessionCard";

it("shows the host link to be copied by hand where the browser does not copy, but not to an audience", async () => {
  vi.stubGlobal("navigator", {}); // as of a page over plain http: no clipboard
  const host = { pass: { id: "r1", key: "secret" } } as Host;
  const room = { ended: false } as Room;
  const root = document.body;
  const show = (isPresenting: boolean) =>
    act(() => render(<SessionCard host={host} room={room} isPresenting={isPresenting} />, root));
  const findLink = () => root.querySelector<HTMLInputElement>("input.host-link");
  show(false);
  expect(findLink()).toBeNull();
  const button = [...root.querySelectorAll("button")].find((found) =>
    found.textContent?.includes("Host link"),
  );
  await act(async () => button?.click());
  const link = findLink();
  expect(link?.value).toBe(`${location.origin}/rooms/host/r1#secret`);
  expect([link?.readOnly, link?.selectionStart, link?.selectionEnd]).toEqual([true, 0, link?.value.length]);
  show(true);
  expect(findLink()).toBeNull();
  render(null, root);
});
