import { useState } from "react";
import { JobBar } from "./job-bar.tsx";
import { Orders } from "./orders.tsx";

export function App() {
  const [shown, show] = useState(true);
  return (
    <>
      {shown && <JobBar id="import-42" />}
      {shown && <Orders />}
      <button onClick={() => show(!shown)}>{shown ? "Hide" : "Show"}</button>
    </>
  );
}
