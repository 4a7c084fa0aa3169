/** What went wrong, in the server's words if it has any, and what can be done about it. */

import type { ServerError } from "./events";

export interface Problem {
  title: string;
  message: string;
  todo: string;
  /** Whether an API key would help. */
  key?: boolean;
  /** Whether the server refused to start the run. */
  refused?: boolean;
}

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

/** LangGraph's server gives this in place of the messages of most errors. */
const MASKED = "An internal error occurred";

const LOG = "The server's log says more.";
const STORE = {
  title: "The knowledge store cannot be used",
  todo: "Check that the store that the server was started with is there, and its server up; then try again.",
};
const MODEL = {
  title: "The model cannot be used",
  todo: "Set the model up on the server, or untick “Ask the language model” to tag by recall alone.",
};
const KNOWN: Record<string, { title: string; todo: string }> = {
  UsageError: { title: "This cannot be tagged as it was asked", todo: "" },
  StoreError: STORE,
  StoreNotFoundError: STORE,
  StoreUnreachableError: STORE,
  StoreVersionError: STORE,
  EmbeddingMismatchError: STORE,
  ModelError: MODEL,
  ModelNotFoundError: MODEL,
  ModelSetupError: MODEL,
  UserTimeout: { title: "The run took longer than the server allows", todo: "Try a shorter text, or without the language model." },
};

/** Return the problem that a run ended with. */
export function ofRun(error: ServerError): Problem {
  const known = KNOWN[error.error] ?? { title: `The server failed (${error.error})`, todo: `Try again. ${LOG}` };
  const message = error.message === MASKED ? "" : error.message;
  return { ...known, message, todo: known.todo || (message ? "" : LOG) };
}

/** Return the problem that a status other than 2xx means. */
export function ofStatus(status: number, message: string, keySent: boolean): Problem {
  return { ...saidBy(status, message, keySent), refused: true };
}

function saidBy(status: number, message: string, keySent: boolean): Problem {
  if (status === 401 || status === 403) {
    return {
      title: keySent ? "The server refuses this API key" : "The server wants an API key",
      message,
      todo: "Enter the key that you were given for this server.",
      key: true,
    };
  }
  if (status === 429 || status === 503) {
    return { title: "The server has too much to do", message, todo: "Try again in a moment." };
  }
  if (status === 413) {
    return { title: "The text is too long for this server", message, todo: "Give a shorter one." };
  }
  if (status === 404 || status === 405) {
    return { title: "There is no tagging here", message, todo: "Open this page from the server that tags: …/app." };
  }
  return { title: `The server refused (${status})`, message, todo: status < 500 ? "" : `Try again. ${LOG}` };
}

export const UNREACHABLE: Problem = {
  title: "The server does not answer",
  message: "",
  todo: "Check that it runs and can be reached from here, then try again.",
  refused: true,
};

export const CUT_OFF: Problem = {
  title: "The answer broke off before its end",
  message: "",
  todo: `Try again; what came so far is shown below. ${LOG}`,
};
