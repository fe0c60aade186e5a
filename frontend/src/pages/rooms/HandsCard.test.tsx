// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import { announce } from "../../ui/announce";
import { HandsCard } from "./HandsCard";
import type { Host } from "./host";

vi.mock("../../ui/announce");

it("shows an audience how many hands are up, and no names", () => {
  const host = { hands: signal([{ id: "h1", name: "Ada", at_s: 3 }]), nowS: 9 } as unknown as Host;
  const root = document.createElement("div");
  const show = (isPresenting: boolean) =>
    act(() => render(<HandsCard host={host} isPresenting={isPresenting} />, root));
  show(true);
  expect(root.textContent).toContain("Hands 1");
  expect(root.innerHTML).not.toContain("Ada");
  expect(vi.mocked(announce).mock.calls).toEqual([["1 hand raised"]]);
  show(false);
  expect(root.querySelector(".hand-name")?.textContent).toBe("Ada");
  render(null, root);
});
