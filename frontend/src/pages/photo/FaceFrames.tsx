/** A frame around every face, with its label. */

import type { RefObject } from "preact";
import type { Face } from "../../api/types";
import { basisOf, describeFace, findTop } from "../../ui/expression";
import { formatPercent } from "../../ui/format";
import { useSize } from "../../ui/useSize";

/** px on screen; a label beside a narrower face appears only when it is asked for. */
const ROOM = 56;

export function FaceFrames({
  faces,
  image,
  active,
  onActivate,
}: {
  faces: readonly Face[];
  image: RefObject<HTMLImageElement | null>;
  active: number | null;
  onActivate: (index: number | null) => void;
}) {
  const shown = useSize(image);
  const picture = image.current;
  if (!picture?.naturalWidth) return null;
  const [width, height] = [picture.naturalWidth, picture.naturalHeight];
  return (
    <ul class="face-frames" aria-label="Faces in the picture">
      {faces.map((face, index) => {
        const [x1, y1, x2, y2] = face.box;
        const roomy = ((x2 - x1) / width) * shown.width >= ROOM;
        return (
          <li key={`${x1},${y1}`}>
            <button
              type="button"
              class={`face-frame tone-${findTop(basisOf(face))}`}
              data-uncertain={face.emotion === null}
              data-roomy={roomy}
              data-below={(y1 / height) * shown.height < 30}
              data-right={(x1 + x2) / 2 > 0.6 * width}
              aria-pressed={active === index}
              aria-label={`Face ${index + 1}: ${describeFace(face)}`}
              onClick={() => onActivate(active === index ? null : index)}
              style={{
                left: `${(100 * x1) / width}%`,
                top: `${(100 * y1) / height}%`,
                width: `${(100 * (x2 - x1)) / width}%`,
                height: `${(100 * (y2 - y1)) / height}%`,
              }}
            >
              <span class="face-plate">
                {face.emotion ?? "uncertain"}
                {face.emotion && <span class="numbers"> {formatPercent(face.confidence)}</span>}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
