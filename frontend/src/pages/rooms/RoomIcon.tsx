/** The drawing beside an option: the product's face for an expression, a sign for a pace. */

import type { Option } from "../../api/rooms";
import { findDrawing } from "./options";

const SIGNS: Partial<Record<Option, string>> = {
  lost: "M9.2 9.3a2.9 2.9 0 1 1 4.3 2.5c-1 .6-1.5 1.2-1.5 2.3M12 17v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  slow_down: "m11.5 6-6 6 6 6M18.5 6l-6 6 6 6",
  fine: "m5 12.5 4.5 4.5L19 7.5",
  speed_up: "m12.5 6 6 6-6 6M5.5 6l6 6-6 6",
};

export function OptionSign({ option }: { option: Option }) {
  const drawing = findDrawing(option);
  if (drawing !== null) return <img class="option-face" src={drawing} alt="" width="64" height="64" />;
  return (
    <svg class="icon option-sign" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <path d={SIGNS[option] ?? ""} />
    </svg>
  );
}

const PATHS = {
  hand: "M8 13V5.5a1.5 1.5 0 0 1 3 0V11m0-6.5a1.5 1.5 0 0 1 3 0V11m0-5.5a1.5 1.5 0 0 1 3 0V14a6.5 6.5 0 0 1-6.5 6.5c-2.6 0-4-1.2-5.2-3.2L3.2 13.6a1.4 1.4 0 0 1 2.3-1.6L8 15",
  flag: "M6 21V4.5M6 5h11l-2.2 4L17 13H6",
  copy: "M9 9h10.5v11.5H9ZM5.5 15H4.5V3.5H15v2",
  expand: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  leave: "M14 4.5H5v15h9M10 12h10m-3.5-3.5L20 12l-3.5 3.5",
  stop: "M6.5 6.5h11v11h-11Z",
} as const;

export function RoomIcon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
