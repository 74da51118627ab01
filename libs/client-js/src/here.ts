/** What is around, as it is: a server, a worker or an old browser has less than the page that the compiler knows. */
export type Here = Partial<typeof globalThis>;
