/** An edge that plays a script: one play for each request, in order; after the last one it answers 204. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";

export type Play = (answer: ServerResponse, request: IncomingMessage) => unknown;

export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  body: string;
}

export const EPOCH = "5f2c91ab";

export class ScriptedEdge {
  readonly asked: Asked[] = [];
  plays: Play[] = [];
  /** Plays for paths other than `events`, by their last part. */
  calls: Record<string, Play> = {};
  #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(...plays: Play[]): Promise<ScriptedEdge> {
    const server = createServer();
    const edge = new ScriptedEdge(server);
    edge.plays = plays;
    server.on("request", async (request, answer) => {
      const url = new URL(request.url as string, "http://edge");
      let body = "";
      for await (const chunk of request) body += String(chunk);
      const { method = "", headers } = request;
      edge.asked.push({ method, path: url.pathname, query: url.searchParams, headers, body });
      const call = edge.calls[url.pathname.split("/").pop() as string];
      await (call ?? edge.plays.shift() ?? refuse(204))(answer, request);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    after(() => edge.stop());
    return edge;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What was asked of `events`. */
  get streams(): Asked[] {
    return this.asked.filter(({ path }) => path.endsWith("/events"));
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

export const id = (sequence: number, epoch = EPOCH): string => `${epoch}-${sequence}`;

export function event(sequence: number, { type = "message", topic = "a.b", data = sequence }: { type?: string; topic?: string; data?: unknown } = {}): string {
  const line = JSON.stringify({ topic, type, time: "2026-01-31T12:00:00Z", data });
  return `id: ${id(sequence)}\nevent: ${type}\ndata: ${line}\n\n`;
}

export function control(data: object, at?: string, retry?: number): string {
  const fields = [...(retry === undefined ? [] : [`retry: ${retry}`]), ...(at === undefined ? [] : [`id: ${at}`])];
  return [...fields, "event: tailrace", `data: ${JSON.stringify(data)}`, "", ""].join("\n");
}

export function opening(sequence = 0, { mode = "live", heartbeat = 15, edge = "edge-1", retry = 0 } = {}): string {
  return control({ kind: "open", mode, cursor: id(sequence), heartbeat, edge }, id(sequence), retry);
}

export const FINISHED = control({ kind: "closing", reason: "finished" });

export function head(answer: ServerResponse, type = "text/event-stream; charset=utf-8"): void {
  answer.writeHead(200, { "content-type": type });
  answer.flushHeaders();
}

/** Sends the pieces, and ends. */
export function send(...pieces: string[]): Play {
  return (answer) => {
    head(answer);
    answer.end(pieces.join(""));
  };
}

/** Sends the pieces, and stays. */
export function hold(...pieces: string[]): Play {
  return (answer) => {
    head(answer);
    answer.write(pieces.join(""));
  };
}

/** Sends the pieces, and cuts the connection. */
export function cut(...pieces: string[]): Play {
  return (answer) => {
    head(answer);
    answer.write(pieces.join(""), () => answer.socket?.resetAndDestroy());
  };
}

export function refuse(status: number, problem?: object, headers: Record<string, string> = {}): Play {
  return (answer) => {
    answer.writeHead(status, { "content-type": "application/problem+json", ...headers });
    answer.end(problem && JSON.stringify(problem));
  };
}

export function reply(body: unknown, status = 200): Play {
  return (answer) => {
    answer.writeHead(status, { "content-type": "application/json" });
    answer.end(JSON.stringify(body));
  };
}
