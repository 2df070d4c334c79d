import { describe, expect, it, vi } from "vitest";
import { answer, client, idempotencyKey, onSignedOut, signIn } from "../src/api/client";
import { Problem } from "../src/api/problem";

function reply(status: number, body: unknown, type = "application/problem+json") {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const fetched = vi.fn<(request: Request | string) => Promise<Response>>(
    async () => new Response(text, { status, headers: { "content-type": type } }),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

async function problemOf(call: Promise<unknown>): Promise<Problem> {
  const thrown: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(Problem);
  return thrown as Problem;
}

const version = () => answer(client.GET("/version"));

describe("an answer", () => {
  it("is its body", async () => {
    const fetched = reply(200, { name: "steading", version: "1.2.3" }, "application/json");
    await expect(version()).resolves.toMatchObject({ version: "1.2.3" });
    expect((fetched.mock.calls[0]?.[0] as Request).url).toBe(`${window.location.origin}/v1/version`);
  });

  it("that is a problem keeps code, hint and request id", async () => {
    reply(422, {
      status: 422,
      code: "no-such-ref",
      message: "No branch x.",
      hint: "Push it.",
      request_id: "r1",
    });
    expect(await problemOf(version())).toMatchObject({
      status: 422,
      code: "no-such-ref",
      message: "No branch x.",
      hint: "Push it.",
      requestId: "r1",
    });
  });

  it("that a proxy made up is told as such, never as its HTML", async () => {
    reply(502, "<html>Bad gateway</html>", "text/html");
    const problem = await problemOf(version());
    expect(problem.code).toBe("http-502");
    expect(problem.message).not.toContain("<");
    expect(problem.hint).toBeTruthy();
  });

  it("that never came says so", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    expect((await problemOf(version())).code).toBe("unreachable");
  });

  it("of 401 tells the page that nobody is signed in", async () => {
    reply(401, { status: 401, code: "not-signed-in", message: "Nobody is signed in.", request_id: "r" });
    const heard = vi.fn();
    const stop = onSignedOut(heard);
    await problemOf(version());
    stop();
    await problemOf(version());
    expect(heard).toHaveBeenCalledTimes(1);
  });
});

describe("signing in", () => {
  it("with a token that does not hold is a problem of the form", async () => {
    reply(401, {
      status: 401,
      code: "not-signed-in",
      message: "That token cannot sign a person in.",
      request_id: "r",
    });
    const heard = vi.fn();
    const stop = onSignedOut(heard);
    expect((await problemOf(signIn("x"))).message).toBe("That token cannot sign a person in.");
    stop();
    expect(heard).not.toHaveBeenCalled();
  });
});

describe("an idempotency key", () => {
  it("is new each time and printable", () => {
    expect(idempotencyKey()).toMatch(/^[0-9a-f]{32}$/);
    expect(idempotencyKey()).not.toBe(idempotencyKey());
  });
});
