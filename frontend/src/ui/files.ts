/** Files that are dropped on the page or pasted into it. */

import { useEffect, useRef, useState } from "preact/hooks";

/** Take files from the whole window while the page is shown; true while something hovers over it. */
export function useIncomingFiles(onFiles: (files: File[]) => void): boolean {
  const [hovering, setHovering] = useState(false);
  const take = useRef(onFiles);
  take.current = onFiles;

  useEffect(() => {
    let depth = 0; // dragenter and dragleave come once for every element on the way
    const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const settle = (count: number): void => {
      depth = Math.max(0, count);
      setHovering(depth > 0);
    };
    const listeners: Partial<{ [K in keyof WindowEventMap]: (event: WindowEventMap[K]) => void }> = {
      dragenter: (event) => {
        if (carriesFiles(event)) settle(depth + 1);
      },
      dragleave: (event) => {
        if (carriesFiles(event)) settle(depth - 1);
      },
      dragover: (event) => {
        if (carriesFiles(event)) event.preventDefault();
      },
      drop: (event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        settle(0);
        const files = [...(event.dataTransfer?.files ?? [])];
        if (files.length > 0) take.current(files);
      },
      paste: (event) => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length === 0) return;
        event.preventDefault();
        take.current(files);
      },
    };
    const entries = Object.entries(listeners) as [string, EventListener][];
    for (const [name, listener] of entries) window.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of entries) window.removeEventListener(name, listener);
    };
  }, []);
  return hovering;
}

/** Let people choose files; resolves with none when they think better of it. */
export function chooseFiles(accept: string, multiple: boolean): Promise<File[]> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.multiple = multiple;
    input.hidden = true;
    document.body.append(input); // Safari of iOS may say nothing of one that is not in the page
    const finish = (files: File[]): void => {
      input.remove();
      resolve(files);
    };
    input.addEventListener("change", () => finish([...(input.files ?? [])]));
    input.addEventListener("cancel", () => finish([]));
    input.click();
  });
}
