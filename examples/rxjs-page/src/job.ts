import { combineLatest, map, share, startWith, takeWhile, type Observable } from "rxjs";
import { isTerminal, type Client, type JobState } from "tailrace";
import { connectSSEWithEvents } from "tailrace/rxjs";

type JobType = "start" | "progress" | "complete" | "failed" | "cancelled";

/** The state of a job and of the link to it, until the job has ended. */
export function watchJob(client: Client, id: string): Observable<{ state: JobState | undefined; link: string }> {
  const events = connectSSEWithEvents<Record<JobType, JobState>>(
    { client, topics: client.job(id).topic, from: "last" },
    ["start", "progress", "complete", "failed", "cancelled"],
  );
  const states = events.pipe(
    map(({ data }) => data),
    takeWhile((state) => !isTerminal(state), true),
    share(),
  );
  const links = events.link$.pipe(map(({ state }) => state));
  return combineLatest({
    state: states.pipe(startWith(undefined)),
    link: links.pipe(startWith("connecting")),
  });
}
