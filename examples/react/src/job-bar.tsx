import { useState } from "react";
import { useJob } from "tailrace/react";

export function JobBar({ id }: { id: string }) {
  const { state, link, error, cancel } = useJob(id);
  const [refusal, setRefusal] = useState<string>();
  if (error) return <p role="alert">{String(error)}</p>;
  return (
    <>
      <progress max={100} value={state?.percent ?? undefined} />
      <p role="status">
        {state?.status ?? "unknown"}, {link.state}
      </p>
      <button disabled={state?.cancelling} onClick={() => cancel().catch((why) => setRefusal(why.message))}>
        Cancel
      </button>
      {refusal && <p role="alert">{refusal}</p>}
    </>
  );
}
