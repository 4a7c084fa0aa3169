/** The LangGraph API of the server that this page came from. */

import type { ServerError, ServerEvent } from "./events";
import { CUT_OFF, ofRun, ofStatus, ProblemError, UNREACHABLE } from "./problems";
import { messages } from "./sse";

export interface Content {
  title: string;
  text: string;
}

export interface Options {
  useLlm: boolean;
}

const ASSISTANT = "tagging";

/** Tag a content; the run ends when the signal aborts. */
export async function* tag(
  content: Content,
  options: Options,
  key: string,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const response = await post("runs/stream", requestFor(content, options), key, signal);
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    // Some errors come as JSON, with status 200.
    throw new ProblemError(errorIn(await response.text()) ?? CUT_OFF);
  }
  if (response.body === null) throw new ProblemError(CUT_OFF);
  try {
    for await (const message of messages(response.body)) {
      if (message.event === "custom" || message.event === "values" || message.event === "error") {
        yield { event: message.event, data: JSON.parse(message.data) } as ServerEvent;
      }
    }
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) throw new ProblemError(CUT_OFF);
    throw error;
  }
}

function requestFor(content: Content, options: Options): unknown {
  return {
    assistant_id: ASSISTANT,
    input: content.title.trim() ? { title: content.title, text: content.text } : { text: content.text },
    // Ticked is the server's own default, and a server without a model refuses a request to use one.
    context: options.useLlm ? { watched: true } : { use_llm: false, watched: true },
    stream_mode: ["custom", "values"],
    on_disconnect: "cancel",
  };
}

async function post(path: string, body: unknown, key: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(key ? { "X-Api-Key": key } : {}) },
      body: JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ProblemError(UNREACHABLE);
  }
  if (!response.ok) throw new ProblemError(ofStatus(response.status, detailIn(await response.text()), key !== ""));
  return response;
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function errorIn(text: string) {
  const error = parsed(text).__error__ as ServerError | undefined;
  return error && ofRun({ error: String(error.error), message: String(error.message) });
}

function detailIn(text: string): string {
  const detail = parsed(text).detail;
  return typeof detail === "string" ? detail : "";
}
