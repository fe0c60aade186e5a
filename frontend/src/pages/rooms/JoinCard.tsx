/** How others get in: the code, the address, a QR code. */

import { useEffect, useState } from "preact/hooks";
import { fetchQrCode, type HostPass, type Room } from "../../api/rooms";
import { isLoopback } from "../../ui/host";
import { Icon } from "../../ui/Icon";
import { spaceCode } from "./messages";

export function JoinCard({ room, pass }: { room: Room; pass: HostPass }) {
  const picture = useQrCode(pass, room.code);
  if (room.code === null) return null;
  return (
    <section class="card room-card join-card" aria-labelledby="join-card-title">
      <div class="join-words">
        <h2 id="join-card-title">Join</h2>
        <p class="join-address">
          {location.host}
          <wbr />
          /join
        </p>
        <p class="join-code" translate={false}>
          <span class="visually-hidden">Code: {[...room.code].join(" ")}</span>
          <span aria-hidden="true">{spaceCode(room.code)}</span>
        </p>
      </div>
      <div class="join-qr">
        {picture && (
          <img
            src={picture}
            width="160"
            height="160"
            alt={`QR code of ${location.origin}/join/${room.code}`}
          />
        )}
      </div>
      {isLoopback(location.hostname) && (
        <p class="join-hint soft">
          <Icon name="info" />
          <span>
            <code>{location.host}</code> is reached from this machine only. For others, start the server with{" "}
            <code>--host</code> and open it by its address.
          </span>
        </p>
      )}
    </section>
  );
}

function useQrCode(pass: HostPass, code: string | null): string | null {
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    if (code === null) return;
    const abort = new AbortController();
    let made: string | null = null;
    fetchQrCode(pass, abort.signal).then(
      (picture) => {
        made = URL.createObjectURL(picture);
        setAddress(made);
      },
      () => setAddress(null), // the code beside it does the same
    );
    return () => {
      abort.abort();
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [pass.id, pass.key, code]);
  return address;
}
