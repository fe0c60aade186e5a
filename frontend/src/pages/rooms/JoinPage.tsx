/** Where somebody types the code that the presenter shows. */

import { useEffect, useState } from "preact/hooks";
import { navigate } from "../../app/router";
import { forgetOldTokens, isCode, readCode } from "./messages";
import "./rooms.css";
import "./join.css";

export default function JoinPage() {
  useEffect(forgetOldTokens, []);
  return (
    <div class="page page-narrow join-page">
      <header class="page-heading">
        <h1>Join a room</h1>
        <p class="soft">Type the code that the presenter shows. You see what is sent before anything is.</p>
      </header>
      <CodeForm />
    </div>
  );
}

export function CodeForm({ code = "" }: { code?: string }) {
  const [text, setText] = useState(code);
  const [isWrong, setWrong] = useState(false);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (isCode(readCode(text))) navigate(`/join/${readCode(text)}`);
    else setWrong(true);
  };
  return (
    <form class="code-form" onSubmit={submit} noValidate>
      <label class="field">
        <span class="field-name">Code</span>
        <input
          class="room-input code-input"
          type="text"
          name="code"
          inputMode="text"
          autocapitalize="characters"
          autocomplete="off"
          spellcheck={false}
          enterkeyhint="go"
          placeholder="K7P M3Q"
          aria-invalid={isWrong}
          aria-describedby={isWrong ? "code-wrong" : undefined}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setWrong(false);
          }}
        />
      </label>
      <button type="submit" class="button button-primary">
        Go on
      </button>
      {isWrong && (
        <p id="code-wrong" class="field-error" role="alert">
          A code has six letters and figures; I, L, O, 0 and 1 are in none.
        </p>
      )}
    </form>
  );
}
