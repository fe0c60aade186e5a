/** A word at this time, to be found again in the chart. */

import { useState } from "preact/hooks";
import { announce } from "../../ui/announce";
import { cleanLine } from "./messages";
import { RoomIcon } from "./RoomIcon";

const LONGEST = 80;

export function MarkForm({ onMark }: { onMark: (text: string) => boolean }) {
  const [text, setText] = useState("");
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const words = cleanLine(text) || "New topic";
    if (onMark(words)) {
      setText("");
      announce(`Marked: ${words}`);
    } else announce("The connection is lost; nothing was marked");
  };
  return (
    <form class="mark-form" onSubmit={submit}>
      <label class="visually-hidden" htmlFor="mark-text">
        What begins now
      </label>
      <input
        id="mark-text"
        class="room-input"
        type="text"
        maxLength={LONGEST}
        autocomplete="off"
        placeholder="New topic"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" class="button">
        <RoomIcon name="flag" /> Mark now
      </button>
    </form>
  );
}
