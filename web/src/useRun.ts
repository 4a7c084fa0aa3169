/** The run that the page shows, and what starts and ends it. */

import { useReducer, useRef, useState } from "preact/hooks";
import { type Content, type Options, tag } from "./api";
import type { ServerEvent } from "./events";
import { CUT_OFF, type Problem, ProblemError } from "./problems";
import { after, cancelled, ended, failed, idle, type Run, started } from "./run";

type Action =
  | { kind: "started"; useLlm: boolean }
  | { kind: "event"; event: ServerEvent }
  | { kind: "ended" }
  | { kind: "failed"; problem: Problem }
  | { kind: "cancelled" };

function reduce(run: Run, action: Action): Run {
  switch (action.kind) {
    case "started":
      return started(action.useLlm);
    case "event":
      return after(run, action.event);
    case "ended":
      return ended(run, CUT_OFF);
    case "failed":
      return failed(run, action.problem);
    case "cancelled":
      return cancelled(run);
  }
}

export interface Running {
  run: Run;
  key: string;
  start: (content: Content, options: Options) => void;
  cancel: () => void;
  /** Save a key for this browser tab, or forget it, and repeat the run that was refused without one. */
  useKey: (key: string) => void;
}

const KEY = "llm4tag-api-key";

export function useRun(): Running {
  const [run, dispatch] = useReducer(reduce, undefined, idle);
  const [key, setKey] = useState(() => sessionStorage.getItem(KEY) ?? "");
  const aborter = useRef<AbortController | null>(null);
  const last = useRef<[Content, Options] | null>(null);

  const follow = async (content: Content, options: Options, withKey: string) => {
    aborter.current?.abort();
    const own = new AbortController();
    aborter.current = own;
    last.current = [content, options];
    // A run that was replaced by another reports nothing more.
    const say = (action: Action) => aborter.current === own && dispatch(action);
    say({ kind: "started", useLlm: options.useLlm });
    try {
      for await (const event of tag(content, options, withKey, own.signal)) say({ kind: "event", event });
      say({ kind: "ended" });
    } catch (error) {
      if (own.signal.aborted) say({ kind: "cancelled" });
      else say({ kind: "failed", problem: error instanceof ProblemError ? error.problem : unexpected(error) });
    }
  };

  return {
    run,
    key,
    start: (content, options) => void follow(content, options, key),
    cancel: () => aborter.current?.abort(),
    useKey: (given) => {
      if (given) sessionStorage.setItem(KEY, given);
      else sessionStorage.removeItem(KEY);
      setKey(given);
      if (given && run.problem?.key && last.current) void follow(...last.current, given);
    },
  };
}

function unexpected(error: unknown): Problem {
  return { title: "This page failed", message: String(error), todo: "Reload it and try again." };
}
