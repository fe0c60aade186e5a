/** What was read of one face. */

import { useEffect, useRef } from "preact/hooks";
import type { Face } from "../../api/types";
import { CONTEMPT, EMOJI, type Emotion, type VoteLabel } from "../../generated/vocabulary";
import { basisOf, findTop, knowsVotes } from "../../ui/expression";
import { capitalise, formatPercent } from "../../ui/format";
import { ShareBars } from "../../ui/ShareBars";
import { listHints } from "./quality";

export function FaceCard({
  face,
  number,
  several,
  image,
  size,
  active,
  onActivate,
  explained,
  onExplain,
}: {
  face: Face;
  number: number;
  several: boolean;
  image: HTMLImageElement | null;
  /** Of the picture that was read, px. */
  size: readonly [number, number];
  active: boolean;
  onActivate: () => void;
  explained: Emotion | undefined;
  onExplain: (emotion: Emotion) => void;
}) {
  const card = useRef<HTMLLIElement>(null);
  const top = findTop(basisOf(face));
  const hints = listHints(face.quality);

  useEffect(() => {
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    if (active) card.current?.scrollIntoView({ block: "nearest", behavior });
  }, [active]);

  return (
    <li ref={card} class={`face-card card tone-${top}`} data-active={active}>
      <div class="face-head">
        <FaceCut face={face} image={image} size={size} />
        <div class="face-title">
          {several && <p class="soft face-number">Face {number}</p>}
          {face.emotion ? (
            <h3>
              {capitalise(face.emotion)} <span class="numbers">{formatPercent(face.confidence)}</span>
            </h3>
          ) : (
            <>
              <h3>Uncertain</h3>
              <p class="soft">
                most likely {top}, {formatPercent(face.confidence)}
              </p>
            </>
          )}
        </div>
        <img class="face-emoji" src={EMOJI[top]} alt="" data-uncertain={face.emotion === null} />
        {several && (
          <button type="button" class="face-show" aria-pressed={active} onClick={onActivate}>
            <span class="visually-hidden">Show face {number} in the picture</span>
          </button>
        )}
      </div>
      {hints.length > 0 && (
        <ul class="face-hints" aria-label="Hard to read because it is">
          {hints.map((hint) => (
            <li key={hint.label} title={hint.reason}>
              {hint.label}
            </li>
          ))}
        </ul>
      )}
      <ShareBars
        shares={basisOf(face)}
        caption={explained ? "Expression to explain" : "Shares of the expressions"}
        chosen={explained}
        onChoose={explained ? (label: VoteLabel) => label !== CONTEMPT && onExplain(label) : undefined}
      />
      {knowsVotes(face.votes) && (
        <details class="face-votes">
          <summary>How ten people would vote</summary>
          <ShareBars shares={face.votes} caption="Shares of the votes" />
        </details>
      )}
    </li>
  );
}

/** The face, cut out of the picture. */
function FaceCut({
  face,
  image,
  size,
}: {
  face: Face;
  image: HTMLImageElement | null;
  size: readonly [number, number];
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context || !image) return;
    const side = canvas.current.width;
    const scale = image.naturalWidth / size[0];
    const [x1, y1, x2, y2] = face.box;
    const wide = 1.15 * Math.max(x2 - x1, y2 - y1);
    context.clearRect(0, 0, side, side);
    context.imageSmoothingQuality = "high";
    context.drawImage(
      image,
      scale * ((x1 + x2 - wide) / 2),
      scale * ((y1 + y2 - wide) / 2),
      scale * wide,
      scale * wide,
      0,
      0,
      side,
      side,
    );
  }, [image, face]);
  return <canvas ref={canvas} class="face-cut" width="112" height="112" />;
}
