"""Invoices and credit notes as documents: what is printed, the PDF, the Factur-X XML, the mentions of the law."""
