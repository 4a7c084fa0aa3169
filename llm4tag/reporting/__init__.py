"""The quality report: results compared with gold tags, as one page, as charts and as JSON."""

from llm4tag.reporting.quality_report import QualityReport, quality_report

__all__ = ["QualityReport", "quality_report"]
