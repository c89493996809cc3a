"""Legal entities (GLEIF level 1, LEI-CDF 3.1), with what a record may have several of in tables beside."""

import datetime as dt
import re
from typing import Any, ClassVar, cast

from django.db import models
from django.db.models import Q

from esma_files.models import EsmaFile
from instruments.correctable import CorrectableRow
from instruments.entities import search
from instruments.entities.exception_words import PARENTS_IN_WORDS, REASONS_IN_WORDS
from instruments.entities.sources import Sourced
from instruments.fields import BIC
from instruments.listings.models.record import text
from marketdata.web.pages import KeyedQuerySet, parse_cursor

_TEXT, _CODE, _LANGUAGE = 500, 100, 20


def _get_key(cursor: str) -> int:
    return parse_cursor(cursor)[1] if cursor else 0


def _time() -> "models.DateTimeField[Any, Any]":
    return models.DateTimeField(null=True)


class LegalEntityQuerySet(KeyedQuerySet):
    """Entities, in the order of LEIs or of a search."""

    def search(self, words: str) -> "LegalEntityQuerySet":
        """By an LEI, a BIC that is known, or words that each begin a word of a name in any of its forms.

        The first 20 words count.

        By words, they are in the order in which they were loaded (on SQLite).
        """
        lei = words.strip().upper()
        if search.is_lei(lei):
            return self.filter(lei=lei)
        if leis := list(EntityBic.objects.of_bic(lei).values_list("entity_id", flat=True)):
            return self.filter(lei__in=leis)
        return cast(LegalEntityQuerySet, search.named(self, words))

    def after(self, cursor: str) -> "LegalEntityQuerySet":
        """The entities after a cursor, in the order of LEIs or of a search; all of them after "".

        Raises InvalidQuery.
        """
        if not search.uses_index(self):
            return cast(LegalEntityQuerySet, super().after(cursor))
        return cast(LegalEntityQuerySet, search.after_key(self, _get_key(cursor)))

    def up_to(self, cursor: str) -> "LegalEntityQuerySet":
        """The entities up to a cursor of `find_end`."""
        if not search.uses_index(self):
            return cast(LegalEntityQuerySet, super().up_to(cursor))
        return cast(LegalEntityQuerySet, search.up_to_key(self, _get_key(cursor)))

    def find_end(self, cursor: str, size: int) -> str | None:
        """A cursor so many entities of the database after another; None where there are fewer."""
        if not search.uses_index(self):
            return super().find_end(cursor, size)
        last = _get_key(cursor) + size
        return f".{last}" if LegalEntity.objects.filter(pk__gt=last).exists() else None

    def complete(self) -> "LegalEntityQuerySet":
        """With all parts of the records."""
        parts = ("names", "addresses", "events", "authorities", "successors", "bics")
        return self.select_related("source_file").prefetch_related(*parts)


class LegalEntity(CorrectableRow, Sourced):
    """A level 1 record: the newest one of an LEI, by its last update.

    The columns are those of `instruments.entities.fields.ENTITY_FIELDS`, in its order.
    """

    list_column: ClassVar[str] = "lei"

    lei = models.CharField(max_length=20, unique=True)
    legal_name = models.CharField(max_length=_TEXT)
    legal_name_language = text(_LANGUAGE)

    legal_address_language = text(_LANGUAGE)
    legal_address_first_line = text(_TEXT)
    legal_address_second_line = text(_TEXT)
    legal_address_third_line = text(_TEXT)
    legal_address_fourth_line = text(_TEXT)
    legal_address_number = text(_TEXT)
    legal_address_number_within_building = text(_TEXT)
    legal_address_mail_routing = text(_TEXT)
    legal_address_city = text(_TEXT)
    legal_address_region = text(_CODE)
    legal_address_country = text(_CODE)
    legal_address_postal_code = text(_TEXT)

    headquarters_language = text(_LANGUAGE)
    headquarters_first_line = text(_TEXT)
    headquarters_second_line = text(_TEXT)
    headquarters_third_line = text(_TEXT)
    headquarters_fourth_line = text(_TEXT)
    headquarters_number = text(_TEXT)
    headquarters_number_within_building = text(_TEXT)
    headquarters_mail_routing = text(_TEXT)
    headquarters_city = text(_TEXT)
    headquarters_region = text(_CODE)
    headquarters_country = text(_CODE)
    headquarters_postal_code = text(_TEXT)

    registration_authority = text(_CODE)
    registration_authority_other = text(_TEXT)
    registration_number = text(_TEXT)
    jurisdiction = text(_CODE)
    category = text(_CODE)
    sub_category = text(_CODE)
    legal_form = text(_CODE, help_text="ISO 20275 code of the legal form")
    legal_form_other = text(_TEXT)
    associated_type = text(_CODE)
    associated_lei = text(_CODE)
    associated_name = text(_TEXT)
    entity_status = text(_CODE)
    created_at = _time()
    expired_at = _time()
    expiration_reason = text(_CODE)

    first_registered_at = _time()
    last_updated_at = models.DateTimeField()
    registration_status = text(_CODE)
    next_renewal_at = _time()
    managing_lou = text(_CODE)
    validation_sources = text(_CODE)
    validation_authority = text(_CODE)
    validation_authority_other = text(_TEXT)
    validation_number = text(_TEXT)

    objects = LegalEntityQuerySet.as_manager()

    class Meta:
        ordering = ["lei"]
        verbose_name_plural = "legal entities"

    def __str__(self) -> str:
        return f"{self.lei} {self.legal_name}"


def _entity(related_name: str) -> Any:
    """Return the reference of a part to its entity, by LEI."""
    return models.ForeignKey(
        LegalEntity,
        on_delete=models.CASCADE,
        to_field="lei",
        db_column="lei",
        db_constraint=False,
        related_name=related_name,
    )


class EntityName(models.Model):
    """A name besides the legal one: former, trading or transliterated."""

    entity = _entity("names")
    type = text(_CODE)
    language = text(_LANGUAGE)
    name = text(_TEXT)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.type})"


class EntityAddress(models.Model):
    """An address besides those of the entity and its headquarters: another, or a transliterated one."""

    entity = _entity("addresses")
    type = text(_CODE)
    language = text(_LANGUAGE)
    first_line = text(_TEXT)
    second_line = text(_TEXT)
    third_line = text(_TEXT)
    fourth_line = text(_TEXT)
    number = text(_TEXT)
    number_within_building = text(_TEXT)
    mail_routing = text(_TEXT)
    city = text(_TEXT)
    region = text(_CODE)
    country = text(_CODE)
    postal_code = text(_TEXT)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "entity addresses"

    def __str__(self) -> str:
        return f"{self.first_line}, {self.city} ({self.type})"


class EntityEvent(models.Model):
    """A legal entity event, as a merger, with the fields of the record that it affects."""

    entity = _entity("events")
    group_type = text(_CODE)
    status = text(_CODE)
    group_id = text(_CODE)
    group_sequence = text(_CODE)
    type = text(_CODE)
    effective_at = _time()
    recorded_at = _time()
    validation_documents = text(_CODE)
    validation_reference = text(1000)
    affected_path_1 = text(_TEXT)
    affected_value_1 = text(_TEXT)
    affected_path_2 = text(_TEXT)
    affected_value_2 = text(_TEXT)
    affected_path_3 = text(_TEXT)
    affected_value_3 = text(_TEXT)
    affected_path_4 = text(_TEXT)
    affected_value_4 = text(_TEXT)
    affected_path_5 = text(_TEXT)
    affected_value_5 = text(_TEXT)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.type} ({self.status})"


class EntityAuthority(models.Model):
    """A validation authority besides the first one."""

    entity = _entity("authorities")
    validation_authority = text(_CODE)
    validation_authority_other = text(_TEXT)
    validation_number = text(_TEXT)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "entity authorities"

    def __str__(self) -> str:
        return f"{self.validation_authority or self.validation_authority_other}"


class EntitySuccessor(models.Model):
    """A successor of a merged or retired entity; one without an LEI has a name."""

    entity = _entity("successors")
    successor_lei = text(_CODE)
    successor_name = text(_TEXT)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.successor_lei or self.successor_name}"


class BicQuerySet(models.QuerySet["EntityBic"]):
    def of_bic(self, text: str) -> "BicQuerySet":
        """The rows of a BIC, in upper or lower case; none for a text without the form of one.

        One of eight characters names the main office, as the same with `XXX` behind it.
        """
        bic = text.strip().upper()
        if not re.fullmatch(BIC, bic):
            return self.none()
        is_main = bic[8:] in ("", "XXX")
        return self.filter(bic__in=[bic[:8], f"{bic[:8]}XXX"] if is_main else [bic])


class EntityBic(models.Model):
    """A business identifier code (ISO 9362) of an entity, by GLEIF's newest BIC-LEI file.

    `source_file` is the first file that had the pair. The file may have LEIs without a record.
    """

    entity = _entity("bics")
    bic = models.CharField(max_length=11)
    source_file = models.ForeignKey(
        EsmaFile, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )

    objects = BicQuerySet.as_manager()

    class Meta:
        ordering = ["bic"]
        constraints = [models.UniqueConstraint(fields=["bic", "entity"], name="entity_bic_once")]
        verbose_name = "BIC"

    def __str__(self) -> str:
        return self.bic


class RelationshipType(models.TextChoices):
    """The types of relationships that this project knows; GLEIF may publish others."""

    DIRECT = "IS_DIRECTLY_CONSOLIDATED_BY", "Directly consolidated by"
    ULTIMATE = "IS_ULTIMATELY_CONSOLIDATED_BY", "Ultimately consolidated by"
    BRANCH = "IS_INTERNATIONAL_BRANCH_OF", "International branch of"
    MANAGED = "IS_FUND-MANAGED_BY", "Fund managed by"
    SUBFUND = "IS_SUBFUND_OF", "Sub-fund of"
    FEEDER = "IS_FEEDER_TO", "Feeder fund of"


class RelationshipQuerySet(models.QuerySet["EntityRelationship"]):
    def valid(self, on: dt.date | None = None) -> "RelationshipQuerySet":
        """Relationships that hold now, or whose period contains a day (UTC).

        Without a period, those that are active count for every day.
        """
        if on is None:
            return self.filter(status="ACTIVE")
        begin = dt.datetime.combine(on, dt.time.min, dt.UTC)
        end = dt.datetime.combine(on, dt.time.max, dt.UTC)
        has_begun = Q(started_at__lte=end) | Q(started_at=None)
        is_open = Q(ended_at__gte=begin) | Q(ended_at=None)
        has_period = Q(started_at__isnull=False) | Q(ended_at__isnull=False)
        return self.filter(has_begun, is_open, has_period | Q(status="ACTIVE"))


class EntityRelationship(Sourced):
    """A relationship of two entities (RR-CDF 2.1): the end is parent, manager or head office of the start.

    `periods`, `qualifiers` and `quantifiers` are lists of objects, as published. `started_at` and `ended_at`
    are those of the relationship period: None where it is open, or none is published.
    """

    start_lei = models.CharField(max_length=20)
    start_type = text(_CODE)
    end_lei = models.CharField(max_length=20)
    end_type = text(_CODE)
    type = models.CharField(max_length=_CODE)
    status = text(_CODE)
    started_at = _time()
    ended_at = _time()
    periods = models.JSONField(null=True)
    qualifiers = models.JSONField(null=True)
    quantifiers = models.JSONField(null=True)

    first_registered_at = _time()
    last_updated_at = models.DateTimeField()
    registration_status = text(_CODE)
    next_renewal_at = _time()
    managing_lou = text(_CODE)
    validation_sources = text(_CODE)
    validation_documents = text(_CODE)
    validation_reference = text(2000)

    objects = RelationshipQuerySet.as_manager()

    class Meta:
        ordering = ["start_lei", "type", "end_lei"]
        constraints = [
            models.UniqueConstraint(
                fields=["start_lei", "type", "end_lei"], name="relationship_once"
            ),
        ]
        indexes = [models.Index(fields=["end_lei", "type"], name="relationship_end_idx")]

    def __str__(self) -> str:
        return f"{self.start_lei} {self.type} {self.end_lei}"

    @property
    def type_in_words(self) -> str:
        """The type in words; one that is not known as it is published."""
        known = self.type in RelationshipType.values
        return RelationshipType(self.type).label if known else self.type


class ReportingException(Sourced):
    """The reason why an entity reports no direct or no ultimate parent (RepEx 2.1)."""

    lei = models.CharField(max_length=20)
    category = models.CharField(max_length=_CODE)
    reason = text(_CODE)
    second_reason = text(_CODE)
    third_reason = text(_CODE)
    reference = text(_TEXT)
    second_reference = text(_TEXT)
    third_reference = text(_TEXT)

    class Meta:
        ordering = ["lei", "category"]
        constraints = [
            models.UniqueConstraint(fields=["lei", "category"], name="reporting_exception_once"),
        ]

    def __str__(self) -> str:
        return f"{self.lei}: {self.category} ({self.reason})"

    @property
    def reasons(self) -> list[str]:
        """The published codes of the reasons."""
        reasons = (self.reason, self.second_reason, self.third_reason)
        return [reason for reason in reasons if reason]

    @property
    def description(self) -> str:
        """The exception as a sentence; a code that is not known stands in it as it is published."""
        subject = PARENTS_IN_WORDS.get(self.category, self.category)
        reasons = [REASONS_IN_WORDS.get(reason, reason) for reason in self.reasons]
        return f"{subject}: {'; '.join(reasons) or 'no reason is published'}."


class MappedLei(models.Model):
    """An LEI in GLEIF's ISIN-LEI file; 100,000 of them are the issuers of 9 million ISINs."""

    lei = models.CharField(max_length=20, unique=True)

    class Meta:
        verbose_name = "mapped LEI"

    def __str__(self) -> str:
        return self.lei


class MappedIssuer(models.Model):
    """The issuer of an ISIN by GLEIF's ISIN-LEI file, which has what national numbering agencies report.

    `source_file` is the first file that had the pair; the newest one that is loaded has it too. On SQLite the
    table has no row IDs (see the migration), so that 9 million rows take 220 MB.
    """

    isin = models.CharField(max_length=12, primary_key=True)
    mapped_lei = models.ForeignKey(
        MappedLei, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    source_file = models.ForeignKey(
        EsmaFile, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )

    class Meta:
        ordering = ["isin"]

    def __str__(self) -> str:
        return f"{self.isin} {self.mapped_lei}"
