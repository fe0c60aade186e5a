// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import { createRoom, fetchRules, type Rules } from "../../api/rooms";
import RoomsPage from "./RoomsPage";

vi.mock("../../api/rooms");

it("lets the fewest people be cleared and typed anew", async () => {
  const rules = { min_group: 5, room_hours: 24, kinds: { expressions: { allowed: true } } };
  vi.mocked(fetchRules).mockResolvedValue(rules as Rules);
  vi.mocked(createRoom).mockReturnValue(new Promise(() => {}));
  const root = document.createElement("div");
  act(() => render(<RoomsPage />, root));
  await act(async () => {});
  const field = root.querySelector<HTMLInputElement>("input[type=number]") as HTMLInputElement;
  const type = (text: string): void => {
    field.value = text;
    act(() => void field.dispatchEvent(new Event("input", { bubbles: true })));
  };
  type("7");
  type("");
  expect([field.value, field.checkValidity()]).toEqual(["", false]);
  type("12");
  await act(
    async () => void root.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true })),
  );
  expect(vi.mocked(createRoom).mock.calls[0]?.[0]).toMatchObject({ min_group: 12 });
  render(null, root);
});
