// @vitest-environment happy-dom
import { expect, it } from "vitest";
import { chooseFiles } from "./files";

const findInput = () => document.querySelector<HTMLInputElement>("input[type=file]");

it.each(["change", "cancel"])(
  "chooseFiles asks in the page, unseen, and leaves nothing there after %s",
  async (name) => {
    const chosen = chooseFiles("image/*", true);
    const input = findInput();
    expect([input?.hidden, input?.accept, input?.multiple]).toEqual([true, "image/*", true]);
    input?.dispatchEvent(new Event(name));
    expect(await chosen).toEqual([]);
    expect(findInput()).toBeNull();
  },
);
