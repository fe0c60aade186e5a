/** Files that the page makes. */

/** Offer `blob` to be saved as `name`. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the address after this task; without a delay some save nothing.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function saveText(text: string, mediaType: string, name: string): void {
  saveBlob(new Blob([text], { type: mediaType }), name);
}

/** The bytes of base64 text. */
export function decodeBase64(text: string, mediaType: string): Blob {
  return new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))], { type: mediaType });
}

/** `camera-2026-01-31-14-05-09.jpg`, in local time. */
export function nameByTime(kind: string, ending: string, date = new Date()): string {
  const local = new Date(date.getTime() - 60_000 * date.getTimezoneOffset());
  return `${kind}-${local.toISOString().slice(0, 19).replace(/[T:]/g, "-")}.${ending}`;
}

/** `holiday/me.final.jpg` → `me.final`. */
export function stemOf(name: string): string {
  const base = name.split(/[\\/]/).pop() ?? "";
  const dot = base.lastIndexOf(".");
  return (dot > 0 ? base.slice(0, dot) : base) || "picture";
}
