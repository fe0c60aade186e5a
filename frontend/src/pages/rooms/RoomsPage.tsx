/** Make a room: what each kind is, and what stands in the way of one. */

import { useEffect, useState } from "preact/hooks";
import { toApiError } from "../../api/errors";
import {
  type CreatedRoom,
  createRoom,
  fetchRules,
  type Question,
  type RoomKind,
  type Rules,
} from "../../api/rooms";
import { ErrorNotice, type ErrorText } from "../../ui/ErrorNotice";
import { asSentence } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { CreatedCard } from "./CreatedCard";
import { cleanLine, forgetOldTokens } from "./messages";
import { OptionSign } from "./RoomIcon";
import "./rooms.css";

type Variety = Question | "expressions";

const VARIETIES: readonly { value: Variety; title: string; text: string }[] = [
  {
    value: "pace",
    title: "Pace",
    text: "People tap lost, slow down, fine or speed up. No camera.",
  },
  {
    value: "mood",
    title: "Mood",
    text: "People pick one of seven faces for how they are. No camera.",
  },
  {
    value: "expressions",
    title: "Expressions",
    text: "Each participant's own browser reads their camera; only how many fifths of 10 s showed which expression leave it.",
  },
];

export default function RoomsPage() {
  const [rules, setRules] = useState<Rules | null>(null);
  const [error, setError] = useState<ErrorText | null>(null);
  const [attempt, setAttempt] = useState(0);
  const [created, setCreated] = useState<CreatedRoom | null>(null);

  useEffect(forgetOldTokens, []);
  useEffect(() => {
    const abort = new AbortController();
    setError(null);
    fetchRules(abort.signal).then(setRules, (reason) => setError(toApiError(reason)));
    return () => abort.abort();
  }, [attempt]);

  return (
    <div class="page page-narrow">
      <header class="page-heading">
        <h1>Rooms</h1>
        <p class="soft">
          Ask an audience how it goes. You see sums of at least {rules?.min_group ?? 5} people, never one
          answer.
        </p>
        {!created && (
          <p>
            <a href="/join">You have a code? Join a room.</a>
          </p>
        )}
      </header>
      {error && <ErrorNotice error={error} onRetry={() => setAttempt(attempt + 1)} />}
      {created ? (
        <CreatedCard created={created} />
      ) : (
        rules && <RoomForm rules={rules} onCreated={setCreated} />
      )}
    </div>
  );
}

function RoomForm({ rules, onCreated }: { rules: Rules; onCreated: (created: CreatedRoom) => void }) {
  const [variety, setVariety] = useState<Variety>("pace");
  const [title, setTitle] = useState("");
  const [minGroup, setMinGroup] = useState(String(rules.min_group)); // as typed: a field that is cleared stays so
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<ErrorText | null>(null);
  const refusal = rules.kinds.expressions.allowed ? null : rules.kinds.expressions.error;
  const kind: RoomKind = variety === "expressions" ? "expressions" : "pulse";
  const isRefused = variety === "expressions" && refusal != null;

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isRefused) return;
    setBusy(true);
    setError(null);
    try {
      onCreated(
        await createRoom({
          kind,
          title: cleanLine(title),
          min_group: Number(minGroup),
          ...(variety !== "expressions" && { question: variety }),
        }),
      );
    } catch (reason) {
      setError(toApiError(reason));
      setBusy(false);
    }
  };

  return (
    <form class="room-form" onSubmit={submit}>
      <fieldset class="kind-choices">
        <legend>What it asks</legend>
        {VARIETIES.map(({ value, title: name, text }) => (
          <label key={value} class="card kind-choice">
            <input
              type="radio"
              name="kind"
              value={value}
              checked={value === variety}
              onChange={() => setVariety(value)}
            />
            <span class="kind-words">
              <span class="kind-title">{name}</span>
              <span class="soft">{text}</span>
            </span>
            <span class="kind-signs" aria-hidden="true">
              {value === "pace" &&
                (["lost", "slow_down", "fine", "speed_up"] as const).map((option) => (
                  <span key={option} class={`kind-sign option-tone-${option}`}>
                    <OptionSign option={option} />
                  </span>
                ))}
              {value === "mood" &&
                (["happy", "neutral", "sad", "surprise"] as const).map((option) => (
                  <OptionSign key={option} option={option} />
                ))}
              {value === "expressions" && <Icon name="camera" />}
            </span>
          </label>
        ))}
      </fieldset>
      {isRefused && (
        <div class="notice notice-caution" role="status">
          <Icon name="shield" />
          <div class="notice-text">
            <p class="notice-title">{asSentence(refusal.message)}</p>
            <p>{refusal.advice}</p>
          </div>
        </div>
      )}
      <label class="field">
        <span class="field-name">Title</span>
        <input
          class="room-input"
          type="text"
          maxLength={80}
          autocomplete="off"
          value={title}
          placeholder="Graph algorithms, week 3"
          onInput={(event) => setTitle(event.currentTarget.value)}
        />
        <span class="soft room-small">Everybody in the room sees it. It may stay empty.</span>
      </label>
      <label class="field">
        <span class="field-name">Fewest people in a sum</span>
        <input
          class="room-input room-input-short numbers"
          type="number"
          min={rules.min_group}
          max={50}
          required
          value={minGroup}
          onInput={(event) => setMinGroup(event.currentTarget.value)}
        />
        <span class="soft room-small">
          This server shows nothing of fewer than {rules.min_group}. More protects better, and shows less.
        </span>
      </label>
      {error && <ErrorNotice error={error} />}
      <div class="button-row">
        <button type="submit" class="button button-primary" disabled={isBusy || isRefused}>
          {isBusy ? "Making it …" : "Make the room"}
        </button>
      </div>
      <p class="soft room-small">
        A room is deleted after {rules.room_hours} h, or at once when you say so. It holds sums, never single
        answers.
      </p>
    </form>
  );
}
