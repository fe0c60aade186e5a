/** A participant's page: the room is found, they read what is sent, agree, take part, and leave. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { type ApiError, toApiError } from "../../api/errors";
import { findRoom, type Room } from "../../api/rooms";
import type { PageProps } from "../../app/pages";
import { navigate } from "../../app/router";
import { announce } from "../../ui/announce";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { Consent } from "./Consent";
import { CameraReader } from "./camera";
import { CodeForm } from "./JoinPage";
import { cleanCode, forgetOldTokens } from "./messages";
import { Participant } from "./participant";
import { TakePart } from "./TakePart";
import { useNow } from "./useNow";
import "./rooms.css";
import "./join.css";

export default function RoomPage({ params }: PageProps) {
  const code = cleanCode(params.code ?? "");
  const [room, setRoom] = useState<Room | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [attempt, setAttempt] = useState(0);

  useEffect(forgetOldTokens, []);
  useEffect(() => {
    const abort = new AbortController();
    setRoom(null);
    setError(null);
    findRoom(code, abort.signal).then(
      (found) => {
        setRoom(found);
        document.title = `${found.title || "Room"} · fervid`;
      },
      (reason) => setError(toApiError(reason)),
    );
    return () => abort.abort();
  }, [code, attempt]);

  if (error) return <NotFound code={code} error={error} onRetry={() => setAttempt(attempt + 1)} />;
  if (!room) return <div class="page-loading" aria-busy="true" />;
  return <FoundRoom key={room.id} room={room} code={code} onAgain={() => setAttempt(attempt + 1)} />;
}

function FoundRoom({ room, code, onAgain }: { room: Room; code: string; onAgain: () => void }) {
  const [stage, setStage] = useState<"asked" | "in" | "declined">("asked");
  const [participant, setParticipant] = useState<Participant | null>(null);
  const camera = useMemo(() => (room.kind === "expressions" ? new CameraReader() : null), []);

  useEffect(() => () => camera?.close(), []);
  useEffect(() => () => participant?.close(), [participant]);
  const phase = participant?.phase.value;
  useEffect(() => {
    if (phase === "ended") announce("The host has ended the room");
    if (phase !== undefined && phase !== "in") camera?.close();
  }, [phase]);
  const isWelcome = participant?.isWelcome.value ?? false;
  useEffect(() => {
    if (isWelcome) announce("You are in the room");
  }, [isWelcome]);

  const join = (): void => {
    const created = new Participant(room, code);
    if (camera) {
      camera.take(room.steps); // what was tried before they agreed is not sent
      created.takeCounts = () => camera.take(room.steps);
      if (camera.phase.value !== "on") void camera.start();
    }
    setParticipant(created);
    setStage("in");
    window.scrollTo(0, 0);
  };

  if (stage === "declined") {
    return (
      <Farewell title="You did not join">
        <p>Nothing was sent but the code. Close this page, or look at it again.</p>
        <button type="button" class="button" onClick={() => setStage("asked")}>
          Look again
        </button>
      </Farewell>
    );
  }
  if (stage === "asked" || participant === null) {
    return (
      <Consent
        room={room}
        code={code}
        camera={camera}
        onJoin={join}
        onDecline={() => {
          camera?.stop();
          setStage("declined");
        }}
      />
    );
  }
  if (phase === "left") {
    return (
      <Farewell title="You have left">
        <p>Nothing more is sent. Your answers are in sums already made, and nowhere else.</p>
        <button type="button" class="button" onClick={onAgain}>
          Join again
        </button>
      </Farewell>
    );
  }
  if (phase === "ended") {
    return (
      <Farewell title="The room has ended">
        <p>Nothing more is sent. Thank you for taking part.</p>
      </Farewell>
    );
  }
  if (phase === "failed" && participant.error.value) {
    return <NotFound code={code} error={participant.error.value} onRetry={join} />;
  }
  return <TakePart participant={participant} camera={camera} />;
}

function Farewell({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <section class="page page-narrow farewell">
      <h1>{title}</h1>
      {children}
    </section>
  );
}

const TITLES: Readonly<Record<string, string>> = {
  "room.unknown": "There is no such room",
  "room.ended": "The room has ended",
  "room.full": "The room is full",
  "web.too_many": "Too many tries",
  network: "The server does not answer",
};

function NotFound({ code, error, onRetry }: { code: string; error: ApiError; onRetry: () => void }) {
  const waitS = error.code === "web.too_many" ? Math.ceil(error.retryAfterS ?? 60) : 0;
  const since = useMemo(() => Date.now(), [error]);
  const now = useNow(1000, waitS > 0);
  const leftS = Math.max(0, Math.ceil(waitS - (now - since) / 1000));
  const mayRetry = error.code !== "room.unknown" && error.code !== "room.ended";
  return (
    <section class="page page-narrow">
      <h1>{TITLES[error.code] ?? "This room cannot be joined"}</h1>
      <ErrorNotice
        error={waitS > 0 ? { message: error.message } : error} // its advice is what is counted down, in silence
        onRetry={mayRetry && leftS === 0 ? onRetry : undefined}
      >
        {leftS > 0 && (
          <>
            <span class="numbers" aria-hidden="true">
              Try again in {leftS} s.
            </span>
            <span class="visually-hidden">Try again in {waitS} s.</span>
          </>
        )}
      </ErrorNotice>
      {error.code === "room.unknown" ? (
        <CodeForm code={code} />
      ) : (
        <p>
          <button type="button" class="link-button" onClick={() => navigate("/join")}>
            Another code
          </button>
        </p>
      )}
    </section>
  );
}
