"""The quality report: results compared with gold tags, as one page, as figures and as JSON."""

from llm4tag.reporting.quality_report import QualityReport, quality_report

__all__ = ["QualityReport", "quality_report"]
