"""A tagger that answers by script."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel

from llm4tag.schema import CalibrationNote, Content, Decision, Origin, TagDecision, TagResult, Usage

Script = Mapping[str, Mapping[str, object] | Exception]


class ScriptedEstimate(BaseModel):
    llm_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None


def result_of(content: Content, **fields: object) -> TagResult:
    tag = TagDecision(
        id="t", name="T", confidence=0.5, decision=Decision.ACCEPT, calibration=CalibrationNote(), evidence=()
    )
    made = TagResult(id=content.id, tags=(tag,), origin=Origin(vocabulary="v", embedding="none", model=None))
    return made.model_copy(update=fields)


class ScriptedTagger:
    """Tags each content as ``script`` says by id: a result's fields, or an error to raise."""

    def __init__(
        self,
        script: Script | None = None,
        usage: Usage | None = None,
        estimate: ScriptedEstimate | None = None,
        before: Callable[[Content], None] | None = None,
    ) -> None:
        self.script = script or {}
        self.usage = usage or Usage()
        self.estimated = estimate or ScriptedEstimate()
        self.before = before
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    async def atag(self, content: Content) -> TagResult:
        self.asked.append(content.id)
        if self.before:
            self.before(content)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0.001)
            planned = self.script.get(content.id, {})
            if isinstance(planned, Exception):
                raise planned
            return result_of(content, usage=self.usage, **planned)
        finally:
            self.at_once -= 1

    async def fingerprint(self) -> dict[str, str | None]:
        return {"model": "scripted", "top": "50"}

    async def refusal(self) -> str:
        return ""

    async def estimate(self, contents: Sequence[Content]) -> ScriptedEstimate:
        return self.estimated
