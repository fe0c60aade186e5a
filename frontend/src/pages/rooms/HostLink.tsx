/** The link that hosts a room, to be copied by hand. */

import { useLayoutEffect, useRef } from "preact/hooks";

export function HostLink({ link, isSelected = false }: { link: string; isSelected?: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (isSelected) field.current?.focus();
  }, []);
  return (
    <input
      ref={field}
      class="room-input host-link"
      type="text"
      readOnly
      aria-label="Host link"
      value={link}
      onFocus={(event) => event.currentTarget.select()}
    />
  );
}
