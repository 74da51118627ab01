import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createClient } from "tailrace";
import { TailraceProvider } from "tailrace/react";
import { App } from "./app.tsx";

const client = createClient({ url: "http://localhost:8080", tenant: "acme" });

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <TailraceProvider client={client}>
      <App />
    </TailraceProvider>
  </StrictMode>,
);
